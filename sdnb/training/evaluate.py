"""How good a model is: ``python -m sdnb.training.evaluate [--model DIR] [--count 300]``.

Every prompt is of a combination that training never saw. The report is printed, written to
``evaluation.json`` in the model's folder, and put into its card.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sdnb.pipeline import Pipeline, load
from sdnb.training.autoencoder import Autoencoder, decode_latents, encode_pictures, measure_psnr
from sdnb.training.captions import write_prompt
from sdnb.training.card import read_record, write_card
from sdnb.training.checker import Verdict, judge, read_picture
from sdnb.training.computing import single_threaded
from sdnb.training.dataset import to_pictures
from sdnb.training.generate import Generate, generator_of
from sdnb.training.pointing import play_pointing_game
from sdnb.training.world import Scene, draw, is_held_out, sample_pair, sample_single

TINY = Path(__file__).parent.parent / "models" / "tiny"
FIRST_SEED = 1000


@dataclass(frozen=True)
class Score:
    """Verdicts of many pictures; shares are of all of them."""

    verdicts: tuple[Verdict, ...]

    def share(self, is_met: Callable[[Verdict], bool]) -> float:
        """Share of the pictures that meet a condition."""
        return sum(map(is_met, self.verdicts)) / len(self.verdicts)

    def parts(self) -> dict[str, float]:
        """Share of the pictures that are right in each respect."""
        names = ("background", "count", "kinds", "colours", "relation")
        return {name: round(self.share(attrgetter(name)), 4) for name in names}


def unseen_scenes(sample: Callable[[Random], Scene], count: int, seed: int) -> list[Scene]:
    """Scenes whose combinations were held out from training."""
    random = Random(f"unseen {seed}")
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = sample(random)
        if is_held_out(scene):
            scenes.append(scene)
    return scenes


def score_pictures(
    pictures: Iterable[UInt8[np.ndarray, "H W 3"]], scenes: Sequence[Scene]
) -> Score:
    """Judge each picture by the scene that was asked of it."""
    pairs = zip(pictures, scenes, strict=True)
    return Score(tuple(judge(read_picture(picture), scene) for picture, scene in pairs))


def score_prompts(generate: Generate, scenes: Sequence[Scene], keep: Path | None = None) -> Score:
    """Ask for each scene in words and judge the pictures; they are kept as one sheet."""
    random = Random("prompts")
    prompts = [write_prompt(scene, random) for scene in scenes]
    pictures = generate(prompts, range(FIRST_SEED, FIRST_SEED + len(prompts)))
    score = score_pictures(pictures, scenes)
    if keep is not None:
        save_sheet(pictures[:96], keep)
    return score


def save_sheet(pictures: UInt8[np.ndarray, "N H W 3"], path: Path, columns: int = 12) -> None:
    """Pictures side by side, row by row, in one file."""
    columns = min(columns, len(pictures))
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    full = [np.concatenate(row, axis=1) for row in rows if len(row) == columns]
    Image.fromarray(np.concatenate(full)).save(path)


def check_checker(vae: Autoencoder, count: int) -> dict[str, float]:
    """How often the checker is right about drawn scenes, and about decoded ones."""
    half = count // 2
    scenes = unseen_scenes(sample_single, half, 1) + unseen_scenes(sample_pair, half, 1)
    pictures = np.stack([draw(scene).picture for scene in scenes])
    latents = encode_pictures(vae, pictures)
    decoded = np.concatenate([to_pictures(part) for part in decode_latents(vae, latents)])
    return {
        "checker_on_drawn": score_pictures(pictures, scenes).share(all_right),
        "checker_on_decoded": score_pictures(decoded, scenes).share(all_right),
        "vae_psnr": measure_psnr(vae, pictures),
    }


def all_right(verdict: Verdict) -> bool:
    """Whether things and background are right."""
    return verdict.is_right and verdict.background


def evaluate(pipe: Pipeline, count: int, sheets: Path | None = None) -> dict[str, Any]:
    """All figures of a model, as plain values; sample sheets are written to a folder."""
    started = perf_counter()
    generate = generator_of(pipe)
    report: dict[str, Any] = {"count": count, **check_checker(pipe.components.vae, count)}
    for name, sample in (("one_object", sample_single), ("two_objects", sample_pair)):
        scenes = unseen_scenes(sample, count, 2)
        score = score_prompts(generate, scenes, sheets and sheets / f"{name}.png")
        report[name] = {"right": round(score.share(attrgetter("is_right")), 4), **score.parts()}
        report[name]["all_right"] = round(score.share(all_right), 4)
    pairs = unseen_scenes(sample_pair, count // 4, 3)
    report["pointing_game"] = play_pointing_game(pipe, pairs)
    report["seconds"] = round(perf_counter() - started, 1)
    return report


def tabulate(report: dict[str, Any]) -> dict[str, str]:
    """The figures in words, for the report's reader and the card."""
    single, pair = report["one_object"], report["two_objects"]
    hits = report["pointing_game"]
    return {
        "VAE PSNR on unseen scenes": f"{report['vae_psnr']:.1f} dB",
        "one object: kind, colour and background right": f"{single['all_right']:.1%}",
        "... kind; colour; background": (
            f"{single['kinds']:.1%}; {single['colours']:.1%}; {single['background']:.1%}"
        ),
        "two objects: both kinds, both colours and relation right": f"{pair['right']:.1%}",
        "... two seen; kinds; colours; relation; background": (
            f"{pair['count']:.1%}; {pair['kinds']:.1%}; {pair['colours']:.1%}; "
            f"{pair['relation']:.1%}; {pair['background']:.1%}"
        ),
        "pointing game: a noun's attention peaks on its thing": (
            "no picture had both kinds right" if hits is None else f"{hits:.1%}"
        ),
        "the checker itself, on drawn scenes": f"{report['checker_on_drawn']:.1%}",
        "the checker on scenes that went through the VAE": f"{report['checker_on_decoded']:.1%}",
    }


def main() -> None:
    """Read the command line, measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="sdnb.training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=TINY, help="folder of the model")
    parser.add_argument("--count", type=int, default=300, help="prompts of each sort")
    parser.add_argument("--sheets", type=Path, help="folder for sheets of the pictures")
    chosen = parser.parse_args()
    with single_threaded():
        report = evaluate(load(str(chosen.model)), chosen.count, chosen.sheets)
    report["how"] = (
        f"`python -m sdnb.training.evaluate`: {chosen.count} prompts of each sort, "
        "of combinations\nthat training never saw; 20 steps of the default sampler, cfg_scale 4."
    )
    report["figures"] = tabulate(report)
    for name, text in report["figures"].items():
        print(f"{name}: {text}")
    (chosen.model / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    write_card(chosen.model, read_record(chosen.model))


if __name__ == "__main__":
    main()
