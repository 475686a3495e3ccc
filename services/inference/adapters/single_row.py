"""Which leaf of each tree one row reaches, by LightGBM's own call for single rows."""

import ctypes
import weakref
from typing import Any, Final

import lightgbm
import numpy as np
from lightgbm import basic

from services.inference.predictors.models.port import Rows

_LIBRARY: Final[Any] = basic._LIB  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public name
_LEAF_INDEX: Final = 2
_FLOAT64: Final = 1
_ALL_TREES: Final = -1
_DOUBLES: Final = ctypes.POINTER(ctypes.c_double)

Leaves = np.ndarray[Any, np.dtype[np.float64]]


class SingleRow:
    """What `Booster.predict(row, pred_leaf=True)` gives, in a fifth of the time: that prepares for tables on each call.

    The same library does the same walk; only its Python wrapper is left out (C API: LGBM_BoosterPredictForMat
    SingleRowFast). To be used by one thread at a time.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster  # the library's own is freed with it
        self._columns = booster.num_feature()
        # Where the library reads and writes: finding out where an array lies takes as long as ten trees.
        self._row, self._leaves = np.empty(self._columns), np.empty(booster.num_trees())
        self._in, self._out = (each.ctypes.data_as(_DOUBLES) for each in (self._row, self._leaves))
        self._told = ctypes.byref(ctypes.c_int64())  # how many it wrote
        self._prepared = ctypes.c_void_p()
        _done(
            _LIBRARY.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,  # noqa: SLF001 - the same
                ctypes.c_int(_LEAF_INDEX),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_TREES),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(self._columns),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(self._prepared),
            )
        )
        weakref.finalize(self, _LIBRARY.LGBM_FastConfigFree, self._prepared)

    def leaves(self, row: Rows) -> Leaves:
        """One number for each tree; overwritten by the next call. ValueError where the row has other columns."""
        if row.shape != (self._columns,):
            raise ValueError(f"a row of {row.shape} values for a model of {self._columns}")
        self._row[:] = row
        _done(_LIBRARY.LGBM_BoosterPredictForMatSingleRowFast(self._prepared, self._in, self._told, self._out))
        return self._leaves


def _done(code: int) -> None:
    if code:
        raise basic.LightGBMError(_LIBRARY.LGBM_GetLastError().decode())
