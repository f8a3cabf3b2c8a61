"""Draw one picture with the installed wheel; ``make wheel`` runs this where no source tree is."""

from pathlib import Path

import sdnb

MEGABYTE = 1_000_000

wheel = next(Path.cwd().glob("sdnb-*.whl"))
if wheel.stat().st_size > 50 * MEGABYTE:
    raise SystemExit(f"{wheel.name} is larger than 50 MB: {wheel.stat().st_size / MEGABYTE:.0f} MB")
if Path(sdnb.__file__).is_relative_to(Path(__file__).parents[1] / "sdnb"):
    raise SystemExit("sdnb was imported from the source tree, not from the wheel")

pipe = sdnb.load("tiny")
result = pipe.run("a red circle", seed=7)
result.save("picture.png")
controls = tuple(f"picture.png:{name}" for name in ("depth", "edge"))
pipe.run("a red circle", steps=1, loras="ink", controls=controls)  # they are in the wheel too
print(f"{wheel.name} drew build/wheel/picture.png in {result.seconds:.1f} s")
