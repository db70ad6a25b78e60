"""The one error that speaks to the person who runs the workflow."""


class UserError(ValueError):
    """An error that the user can mend.

    The message is one line: what was found, what was expected, and where.
    """
