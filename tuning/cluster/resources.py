"""The section `study.resources`: what a trainer takes of a cluster, and how many there are."""

from pydantic import Field, model_validator

from mtl_core.section import Section


class Resources(Section):
    """What a trainer takes; a trainer runs one trial at a time."""

    workers: int = Field(default=1, ge=1)
    """Processes that train one model together (data parallel)."""
    cpus: int = Field(default=1, ge=1)
    """CPUs per worker; also its number of threads."""
    gpus: float = Field(default=0, ge=0)
    """GPUs per worker; a fraction lets trainers of one worker share a GPU."""
    trainers: int | None = Field(default=None, ge=1)
    """Trials at the same time; null = as many as the cluster holds when the study starts."""
    wait_s: float = Field(default=0, ge=0)
    """Seconds to wait for nodes when these trainers do not fit; an autoscaler is asked for them."""

    @model_validator(mode="after")
    def _check_gpus(self) -> "Resources":
        # Ray gives no part of a second GPU, and NCCL refuses two workers on one.
        if self.gpus % 1 and (self.gpus > 1 or self.workers > 1):
            raise ValueError(
                f"gpus: expected a whole number, or a fraction of one GPU for a trainer of one "
                f"worker; found {self.gpus:g}"
            )
        return self

    @property
    def of_worker(self) -> dict[str, float]:
        """What a worker takes, as Ray names it."""
        return {"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})
