"""What is raised where a neighbour of the lake does not answer. By itself, so that who only asks imports no more."""


class LakeUnavailableError(Exception):
    """The lake, or what it is made of, cannot be had, or refuses; the message says what to do."""
