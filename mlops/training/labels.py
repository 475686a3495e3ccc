"""When labels become known: what may be said of a payment at a moment, and by whom a model may be judged then."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DelayedLabels:
    """What became known of each row, and when. Times are microseconds since 1970.

    A row is settled once it is `delay_us` old: until then nothing is concluded of it, not even from what is known
    already, or young frauds would be learned from without the honest payments of their days.
    """

    occurred_us: Ints
    label: Bools
    """What is true in the end."""
    known_us: Ints
    """When a true label comes to be known: it may be later than the delay, and is taken for false until then."""
    delay_us: int

    def settled(self, at_us: int) -> Bools:
        """The rows of which a label may be used at this moment."""
        return self.occurred_us + self.delay_us <= at_us

    def as_of(self, at_us: int) -> Bools:
        """Every row's label as it is known at this moment; of meaning only where the row is settled."""
        return self.label & (self.known_us <= at_us)
