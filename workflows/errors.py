"""Why a step can fail, as types: retry policies and degraded decisions name them."""


class StepError(Exception):
    """A failure that a step knows. Its text holds no value of an event: it is logged and kept in the history."""


class RulesUnavailableError(StepError):
    """The rules could not be read now; trying again can help."""


class AttemptsUnavailableError(StepError):
    """Earlier attempts could not be read now, so that no retry may be recommended; trying again can help."""


class ScoringUnavailableError(StepError):
    """The models did not answer in time; trying again can help."""


class ScoringOutageError(StepError):
    """The models have been away for so long that no event waits for them any more."""


class ScoringRefusedError(StepError):
    """The models refuse the question, or their answer breaks its contract; the same question gets the same answer."""


class StorageUnavailableError(StepError):
    """Storage did not answer; trying again can help, and is safe."""


class RecordRefusedError(StepError):
    """Storage refuses a record for good."""
