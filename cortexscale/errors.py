"""The one way in which this package says that an input is not what it should be."""


class InputError(Exception):
    """An input cannot be used.

    The message always answers four questions: where (a file, or a key of the config), what was found,
    what was expected, and what to do about it.
    """

    def __init__(self, where: object, found: str, expected: str, remedy: str):
        self.where, self.found, self.expected, self.remedy = str(where), found, expected, remedy
        super().__init__(f"{where}\n    found:    {found}\n    expected: {expected}\n    to do:    {remedy}")

    def __reduce__(self):
        return type(self), (self.where, self.found, self.expected, self.remedy)
