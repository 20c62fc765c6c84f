"""The one exception that means: the user can mend this.

Its message is a whole sentence that says what is wrong, where, and how to mend it. The command
line prints it and exits with 2; it never shows a traceback for it.
"""


class InputError(ValueError):
    """Input, configuration or data that the user can correct."""


class RadiographError(InputError):
    """One image file that can't be read as a radiograph; the run excludes it and goes on."""
