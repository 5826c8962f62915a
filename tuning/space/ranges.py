"""The ranges of `search:` in a study file, and what all its entries share."""

from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mtl_core.errors import did_you_mean
from mtl_core.section import Section
from tuning.records import Value
from tuning.space.domains import Domain, spelled
from tuning.space.parameters import Leaf, Node, Parameter
from tuning.space.priors import Prior, Sureness
from tuning.space.range_domains import Floats, Ints, Steps


def refusal(message: str) -> PydanticCustomError:
    """An error of the study file; its place is added by the loader."""
    # The text is passed as a value: pydantic would take braces in a template for names. Not a
    # `ValueError`, whose text up to a colon may be taken for a key (see `validate`).
    return PydanticCustomError("search_entry", "{message}", {"message": message})


def check_value(value: Any) -> Any:
    """Refuses lists and the like, with one error instead of one for each type of scalar."""
    if value is None or isinstance(value, str | int | float):
        return value
    raise refusal(f"found the option {value!r}; allowed: text, a number, true, false, null")


Scalar = Annotated[Value, BeforeValidator(check_value)]
"""A value that a study file gives as it is."""


class PriorSection(Section):
    """What you believe of a key before any trial: where its best value lies, and how sure you are.

    A prior only says where to look first: all of the range or choice is still searched.
    """

    likely: Scalar
    """The value that you expect to be the best; of a choice of sections its `kind`."""
    sure: Sureness = "medium"
    """How sure. For `low`, `medium`, `high` the standard deviation is 1/2, 1/4, 1/8 of a range, on
    its own scale, and an option is 2, 4, 8 times as likely as each of the others."""

    def build(self, domain: Domain) -> Prior:
        """Returns the prior of a domain that has the likeliest value."""
        return domain.prior(self.likely, self.sure)


class EntryBase(Section):
    """One entry of `search:`."""

    @abstractmethod
    def build(self, key: str, name: str) -> Node:
        """Returns what draws the values of a key.

        Args:
            key: The key in its section.
            name: What its parameter is called.
        """

    @property
    def draws_fractions(self) -> bool:
        """Whether it, or an entry inside its options, is a range of fractions."""
        return False

    def examples(self) -> Sequence[object]:
        """Returns one value of the key for each option, in their order; nothing for a range."""
        return ()

    @model_serializer(mode="wrap")
    def _without_nulls(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Returns what was written: of what may stand beside a range, nothing is told by null."""
        return {key: value for key, value in dump(self).items() if value is not None}


class WithPrior(EntryBase):
    """An entry of one domain, of which something may be believed beforehand."""

    prior: PriorSection | None = None
    """What you believe of the key before any trial."""

    @abstractmethod
    def domain(self) -> Domain:
        """Returns what the key can be."""

    def build(self, key: str, name: str) -> Node:
        """Returns the one parameter of the key."""
        return Leaf(key, self.parameter(name))

    def parameter(self, name: str) -> Parameter:
        """Returns what is drawn."""
        domain = self.domain()
        return Parameter(name, domain, self.prior.build(domain) if self.prior else None)

    @model_validator(mode="after")
    def _check_prior(self) -> Self:
        """Refuses a prior at a value that is never drawn."""
        domain = self.domain()
        if self.prior and not domain.contains(self.prior.likely):
            found, near = spelled(self.prior.likely), ""
            if domain.options:
                near = did_you_mean(found, [spelled(option) for option in domain.options])
            raise refusal(f"found the likeliest value {found} of a prior; allowed: {domain}.{near}")
        return self


Number = TypeVar("Number", int, float)


def _ascending(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if low >= high:
        raise refusal(f"found [{low}, {high}]; allowed: two numbers, the lower one first")
    return bounds


def _positive(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if low <= 0:
        raise refusal(f"found [{low}, {high}]; allowed on a log scale: numbers above 0")
    return bounds


# Strict, so that neither "3" nor `true` passes for a number.
_Float = Annotated[float, Strict()]
_Int = Annotated[int, Strict()]
_FloatBounds = Annotated[tuple[_Float, _Float], AfterValidator(_ascending)]
_IntBounds = Annotated[tuple[_Int, _Int], AfterValidator(_ascending)]


def _check_step(bounds: tuple[float, float], step: float) -> None:
    """Refuses a step that does not lead from the low end to the high one."""
    # In decimal numbers, as people count: 0.1 to 0.5 are 8 steps of 0.05.
    low, high, each = (Decimal(str(number)) for number in (*bounds, step))
    if (high - low) % each:
        ends = [low + count * each for count in (int((high - low) / each) + n for n in (0, 1))]
        near = " or ".join(f"[{low}, {end}]" for end in ends if end > low)
        raise refusal(
            f"found [{low}, {high}] in steps of {each}, which do not reach {high}; allowed: steps "
            f"that do, for instance {near}"
        )


class FloatRange(WithPrior):
    """A number, all values equally likely; with a step one of numbers at equal distances."""

    range: _FloatBounds
    """Lowest and highest value, both included."""
    step: Annotated[_Float, Field(gt=0)] | None = None
    """From one value to the next; null = all numbers between."""

    @model_validator(mode="after")
    def _check_step(self) -> Self:
        if self.step is not None:
            _check_step(self.range, self.step)
        return self

    def domain(self) -> Domain:
        """Returns the range."""
        return Floats(*self.range) if self.step is None else Steps(*self.range, self.step)

    @property
    def draws_fractions(self) -> bool:
        """Always true: the range is one of fractions."""
        return True


class LogRange(WithPrior):
    """A number, all orders of magnitude equally likely."""

    log_range: Annotated[_FloatBounds, AfterValidator(_positive)]
    """Lowest and highest value, both included, above 0."""

    def domain(self) -> Domain:
        """Returns the range."""
        return Floats(*self.log_range, log=True)

    @property
    def draws_fractions(self) -> bool:
        """Always true: the range is one of fractions."""
        return True


class IntRange(WithPrior):
    """A whole number, all values equally likely."""

    int_range: _IntBounds
    """Lowest and highest value, both included."""
    step: Annotated[_Int, Field(gt=0)] | None = None
    """From one value to the next; null = 1."""

    @model_validator(mode="after")
    def _check_step(self) -> Self:
        _check_step(self.int_range, self.step or 1)
        return self

    def domain(self) -> Domain:
        """Returns the range."""
        return Ints(*self.int_range, step=self.step or 1)


class LogIntRange(WithPrior):
    """A whole number, all orders of magnitude equally likely."""

    log_int_range: Annotated[_IntBounds, AfterValidator(_positive)]
    """Lowest and highest value, both included, above 0."""

    def domain(self) -> Domain:
        """Returns the range."""
        return Ints(*self.log_int_range, log=True)
