"""Serving in memory: a store that follows arrivals at any distance, and the log that predictions leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.assessment_service_pb2 import QUESTION_FRAUD
from tidegate.inference.v1.prediction_logged_pb2 import LoggedFeature, PredictionLogged

from mlops.features.catalog import VIEW_OF
from mlops.features.facts import PaymentFact, asked_fact, entity_keys, payment_fact, score_fact
from mlops.features.online import NOTHING, Stored, advanced, vector_for
from mlops.features.payment import context_features
from mlops.features.transform import Values
from mlops.features.windows import SECOND_US
from mlops.monitoring.predictions import Prediction, Reader
from mlops.monitoring.replay import Arrival, EntityKey
from mlops.monitoring.skew import Skew
from tests.fakes.feature_messages import message
from workflows.payment_event.questions import payment_context

LAG_US = 5 * SECOND_US


def arrivals_of(facts: Sequence[PaymentFact]) -> list[Arrival]:
    """As the topics have them: facts by way of their messages."""
    arrivals = []
    for each in facts:
        told = message(each)
        if isinstance(told, PaymentDecision):
            fact = score_fact(told)
            assert fact is not None
            arrivals.append(Arrival(each.arrived_at_us, fact))
        else:
            arrivals.append(Arrival(each.arrived_at_us, payment_fact(told), told))
    return arrivals


@dataclass
class Platform:
    """What arrived, in order."""

    arrivals: list[Arrival]

    @cached_property
    def _stores(self) -> list[dict[EntityKey, Stored]]:
        """What a store holds that has come to each arrival, before the first to after the last."""
        stores: list[dict[EntityKey, Stored]] = [{}]
        for arrival in self.arrivals:
            held = dict(stores[-1])
            for key in entity_keys(arrival.fact).items():
                held[key] = advanced(held.get(key, NOTHING), key[0], arrival.fact)
            stores.append(held)
        return stores

    def logged(self, index: int, *, applied: int | None = None, predicted_us: int | None = None) -> PredictionLogged:
        """The prediction about the event of an arrival, of a store that has applied so many: up to it, unless said."""
        event = self.arrivals[index].event
        assert event is not None
        asked = payment_context(event)
        predicted_us = self.arrivals[index].at_us + SECOND_US // 2 if predicted_us is None else predicted_us
        fact = asked_fact(asked, predicted_us)
        held = self._stores[index + 1 if applied is None else applied]
        vectors = vector_for(
            fact, {entity: held.get((entity, key), NOTHING) for entity, key in entity_keys(fact).items()}
        )
        return PredictionLogged(
            payment_id=asked.payment_id,
            event_id=asked.event_id,
            merchant_id=asked.merchant_id,
            question=QUESTION_FRAUD,
            model_name="fraud",
            model_version="3",
            model_alias="champion",
            score=0.25,
            features=[
                *_logged("payment", context_features(asked)),
                *(each for entity, view in VIEW_OF.items() for each in _logged(view.name, vectors[entity].values)),
            ],
            occurred_at=asked.occurred_at,
            predicted_at=moment(predicted_us),
        )

    def asked(self) -> list[int]:
        """Arrivals that the workflow asks about, each event once."""
        first = {each.fact.event_id: index for index, each in reversed(list(enumerate(self.arrivals))) if each.event}
        return sorted(first.values())

    def skew(self, log: Sequence[PredictionLogged]) -> Skew:
        """What the job finds."""
        found = Skew(predictions(log), LAG_US)
        found.run(self.arrivals)
        return found


def predictions(log: Sequence[PredictionLogged]) -> list[Prediction]:
    """The log as it is read."""
    reader = Reader()
    return [reader.read(each) for each in log]


def feature(log: PredictionLogged, name: str) -> LoggedFeature:
    """One of its features."""
    (found,) = [each for each in log.features if each.name.endswith(f":{name}")]
    return found


def moment(at_us: int) -> Timestamp:
    """Microseconds as the contracts have it."""
    return Timestamp(seconds=at_us // SECOND_US, nanos=at_us % SECOND_US * 1000)


def _logged(view: str, values: Values) -> list[LoggedFeature]:
    return [LoggedFeature(name=f"{view}:{name}", value=value) for name, value in values.items()]
