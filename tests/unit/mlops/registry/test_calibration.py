import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.registry.calibration import Calibration

MARGINS = st.floats(-800, 800) | st.sampled_from([0.0, float("inf"), float("-inf")])
SLOPES = st.floats(0, 50)
CONSTANTS = st.floats(-50, 50)
CALIBRATIONS = st.one_of(
    st.builds(lambda *each: Calibration("platt", each), SLOPES, CONSTANTS),
    st.builds(lambda *each: Calibration("beta", each), SLOPES, SLOPES, CONSTANTS),
    st.just(Calibration("isotonic", (), ((-2.0, 0.1), (0.0, 0.2), (1.5, 0.9)))),
)


@given(calibration=CALIBRATIONS, margin=MARGINS)
def test_a_single_margin_has_the_probability_that_it_has_among_others(calibration: Calibration, margin: float) -> None:
    with np.errstate(all="ignore"):  # a slope of 0 times an endless margin is no number, in both
        among = calibration.probability(np.array([margin, 0.0]))[0]
    assert calibration.of_one(margin) == pytest.approx(among, rel=1e-12, abs=1e-300, nan_ok=True)
