"""The one error that is meant for the person who runs the workflow."""


class UserError(ValueError):
    """Bad input: the message is one line that says what was found, what was expected and where."""
