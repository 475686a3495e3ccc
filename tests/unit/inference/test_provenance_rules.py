from buf.validate import validate_pb2
from tidegate.inference.v1.payment_context_pb2 import FeatureUse, Provenance


def test_the_contract_overlooks_no_rule_of_the_features_that_it_has_nobody_look_into() -> None:
    features = Provenance.DESCRIPTOR.fields_by_name["features"]
    assert features.GetOptions().Extensions[validate_pb2.field].ignore == validate_pb2.IGNORE_ALWAYS
    uses = FeatureUse.DESCRIPTOR
    assert not uses.GetOptions().ListFields()
    assert not any(oneof.GetOptions().ListFields() for oneof in uses.oneofs)
    for field in uses.fields:
        assert field.message_type is None
        assert not field.GetOptions().HasExtension(validate_pb2.field)
