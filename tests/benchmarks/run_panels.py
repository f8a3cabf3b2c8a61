"""How long panels take to open on a loaded checkpoint: ``python -m tests.benchmarks.run_panels``.

Each in a process of its own, as the first panel of a notebook, on the last result; then once more.
"""

import sys
from subprocess import run
from time import perf_counter, process_time

from sdnb.magics.panel import PANELS, make
from sdnb.magics.session import Session

PROMPT, STEPS = "a red circle on a meadow", 20


def measure(name: str) -> None:
    import sdnb

    session = Session(lambda reference: sdnb.load(reference))
    pipe = session.pipeline()
    session.keep(pipe.run(PROMPT, steps=STEPS, seed=1, attention=True))
    said = []
    for _ in range(2):
        began, worked = perf_counter(), process_time()
        panel = make(name, session=session)
        kept = panel.kept_html
        took = f"{1000 * (perf_counter() - began):4.0f} ms"
        said.append(f"{took} ({1000 * (process_time() - worked):4.0f} ms of CPU)")
        panel.close()
        if panel.lab.has_trait("result"):
            panel.lab.wait()  # nothing computes beside what is measured next
    first, second = said
    print(f"{name:10} first {first}, again {second}, kept {len(kept) / 1000:.0f} kB")


def main() -> None:
    for name in PANELS:
        run([sys.executable, "-m", "tests.benchmarks.run_panels", name], check=True)


if __name__ == "__main__":
    measure(sys.argv[1]) if sys.argv[1:] else main()
