"""What became of a fault, and the table that says so."""

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """One row: what was done, what the ledger counted, and each aim with what was measured."""

    fault: str
    done: str
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    aims: list[tuple[str, str, bool]] = field(default_factory=list)
    """Aim, measured, met."""
    violations: list[str] = field(default_factory=list)
    broken: bool = False
    """It didn't run to its end: who knows what the stack is worth."""

    skipped: str = ""
    """Why it wasn't tried, which nobody may take for a success."""

    late: list[str] = field(default_factory=list)
    """Aims missed that say how fast something is, which a busy machine misses without anything being wrong."""

    def aim(self, aim: str, measured: object, met: bool, *, timed: bool = False) -> None:
        self.aims.append((aim, str(measured), met))
        if timed and not met:
            self.late.append(aim)

    @property
    def right(self) -> bool:
        """Whether it was tried, and everything is as it should be but for how long it took."""
        if self.skipped:
            return False
        return not self.lost and not self.doubled and not self.violations and all(met or aim in self.late for aim, _, met in self.aims)

    @property
    def met(self) -> bool:
        return self.right and not self.late

    def line(self) -> str:
        """The row in one line, for whoever watches."""
        if self.skipped:
            return f"{self.fault}: NOT RUN: {self.skipped}"
        measured = "; ".join(f"{aim}: {value}{'' if met else ' (NO)'}" for aim, value, met in self.aims)
        verdict = "yes" if self.met else "NO"
        return f"{self.fault}: {verdict}; {self.acknowledged} acknowledged, {self.lost} lost, {self.doubled} doubled; {measured}"

    def row(self) -> str:
        """The row as Markdown has it."""
        if self.skipped:
            return f"| {self.fault} | {self.done} | | | | | **not run**: {self.skipped} | **NO** |"
        aims = "<br>".join(aim for aim, _, _ in self.aims)
        measured = "<br>".join(f"{value}{'' if met else ' **(NO)**'}" for _, value, met in self.aims)
        counts = f"{self.acknowledged} | {self.lost} | {self.doubled}"
        return f"| {self.fault} | {self.done} | {counts} | {aims} | {measured} | {'yes' if self.met else '**NO**'} |"


def attempted(name: str, fault: Callable[[], Outcome]) -> Outcome:
    """Try a fault, and print what became of it."""
    began = time.monotonic()
    try:
        outcome = fault()
    except Exception as error:
        traceback.print_exc()
        outcome = Outcome(name, "broke off", violations=[f"{type(error).__name__}: {error}"], broken=True)
        outcome.aim("runs to its end", f"{type(error).__name__}: {str(error)[:150]}", False)
    print(f"{outcome.line()} [{time.monotonic() - began:.0f} s]", flush=True)
    for violation in outcome.violations[:10]:
        print(f"    {violation}", flush=True)
    return outcome


def table(outcomes: Iterable[Outcome]) -> str:
    """All rows as a Markdown table."""
    head = [
        "| fault | what was done | acknowledged | lost | doubled | aim | measured | met |",
        "| --- | --- | --: | --: | --: | --- | --- | --- |",
    ]
    return "\n".join([*head, *(outcome.row() for outcome in outcomes)]) + "\n"
