"""The contract of limits: whether trials may begin, and whether those that run go on."""

from tuning.records import EndedBy


class Limits:
    """What a search may spend beside its number of trials; this one lets it spend anything."""

    def spent(self) -> EndedBy | None:
        """Returns the limit by which trials that run end at their next report; None = none yet."""
        return None

    def over(self) -> EndedBy | None:
        """Returns the limit by which no trial begins any more; None = none yet."""
        return self.spent()
