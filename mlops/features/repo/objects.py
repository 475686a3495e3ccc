"""Makes Feast's objects from the catalog."""

from pathlib import Path
from typing import Final

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Float64, Int64, PrimitiveFeastType

from mlops.features.catalog import FEATURES, Dtype, Feature, View
from mlops.features.parquet import CREATED_COLUMN, EVENT_TIME_COLUMN, moments_file

_TYPES: Final[dict[Dtype, PrimitiveFeastType]] = {Dtype.INT64: Int64, Dtype.FLOAT64: Float64}


def entity(view: View) -> Entity:
    """The entity that a view is about."""
    return Entity(
        name=view.entity.value,
        join_keys=[view.join_key],
        value_type=ValueType.STRING,
        description=f"A {view.entity.value} of one merchant.",
        tags={"key": view.key},
    )


def feature_view(view: View, folder: Path) -> FeatureView:
    """A view over its Parquet file in this folder."""
    source = FileSource(
        name=f"{view.name}_rows",
        path=str(moments_file(view, folder).absolute()),
        file_format=ParquetFormat(),
        timestamp_field=EVENT_TIME_COLUMN,
        created_timestamp_column=CREATED_COLUMN,
        description=f"What {view.name} was at every moment of an event.",
    )
    return FeatureView(
        name=view.name,
        entities=[entity(view)],
        ttl=view.ttl,
        schema=[_field(feature) for feature in FEATURES if feature.view == view.name],
        source=source,
        online=True,
        description=view.description,
        tags={"entity": view.entity.value, "key": view.key},
    )


def _field(feature: Feature) -> Field:
    return Field(
        name=feature.name,
        dtype=_TYPES[feature.dtype],
        description=feature.description,
        tags={"window": feature.window, "unit": feature.unit, "source": feature.source},
    )
