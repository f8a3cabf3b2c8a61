"""Draw one picture with the installed wheel; ``make wheel`` runs this where no source tree is."""

from pathlib import Path

import sdnb

MEGABYTE = 1_000_000

wheel = next(Path.cwd().glob("sdnb-*.whl"))
if wheel.stat().st_size > 50 * MEGABYTE:
    raise SystemExit(f"{wheel.name} is larger than 50 MB: {wheel.stat().st_size / MEGABYTE:.0f} MB")
if Path(sdnb.__file__).is_relative_to(Path(__file__).parents[1] / "sdnb"):
    raise SystemExit("sdnb was imported from the source tree, not from the wheel")

result = sdnb.load("tiny").run("a red circle", seed=7)
result.save("picture.png")
print(f"{wheel.name} drew build/wheel/picture.png in {result.seconds:.1f} s")
