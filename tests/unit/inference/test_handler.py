from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    Assessment,
    AssessmentItem,
)
from tidegate.inference.v1.churn_service_pb2 import PredictRequest
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_NO_MODEL

from services.runtime import contract
from tests.unit.inference.contexts import AT, declined, handler
from tests.unit.inference.strategies import payments

HANDLER = handler()
FIELDS = {
    QUESTION_FRAUD: "fraud",
    QUESTION_RETRY: "retry",
    QUESTION_CHURN: "churn",
    QUESTION_RECOVERY: "recovery",
}
items = st.builds(
    AssessmentItem,
    payment=payments(),
    questions=st.lists(st.sampled_from(list(FIELDS)), unique=True, min_size=1),
)


def alone(item: AssessmentItem) -> Assessment:
    """The item's questions asked one by one."""
    asked = item.payment
    assessment = Assessment(payment_id=asked.payment_id)
    if QUESTION_FRAUD in item.questions:
        assessment.fraud.CopyFrom(HANDLER.score([asked], AT)[0])
    if QUESTION_RETRY in item.questions:
        assessment.retry.CopyFrom(HANDLER.recommend([asked], AT)[0])
    if QUESTION_CHURN in item.questions:
        assessment.churn.CopyFrom(HANDLER.predict([PredictRequest(payment=asked)], AT)[0])
    if QUESTION_RECOVERY in item.questions:
        assessment.recovery.CopyFrom(HANDLER.plan([asked], AT)[0])
    return assessment


@given(asked=st.lists(items, min_size=1, max_size=5))
def test_a_list_is_answered_in_order_as_each_question_would_be_alone(asked: list[AssessmentItem]) -> None:
    for number, item in enumerate(asked):
        item.payment.payment_id = f"pi_{number}"
    response = HANDLER.assess(asked, AT)
    assert list(response.assessments) == [alone(item) for item in asked]
    assert contract.broken_rules(response) == ()


def test_an_answer_is_present_exactly_where_it_was_asked_for() -> None:
    asked = [
        AssessmentItem(payment=declined(), questions=[QUESTION_FRAUD]),
        AssessmentItem(payment=declined(), questions=[QUESTION_RECOVERY]),
    ]
    found = [
        [field for field in FIELDS.values() if assessment.HasField(field)]
        for assessment in HANDLER.assess(asked, AT).assessments
    ]
    assert found == [["fraud"], ["recovery"]]


def test_every_answer_says_which_rules_gave_it_and_when() -> None:
    item = AssessmentItem(payment=declined(), questions=list(FIELDS))
    assessment = HANDLER.assess([item], AT).assessments[0]
    made_by = {field: getattr(assessment, field).provenance for field in FIELDS.values()}
    assert {field: each.model_name for field, each in made_by.items()} == {
        field: f"{field}-rules" for field in FIELDS.values()
    }
    for each in made_by.values():
        assert (each.fallback, each.fallback_cause, each.model_alias) == (True, FALLBACK_CAUSE_NO_MODEL, "")
        assert each.predicted_at == AT
        assert each.model_version
