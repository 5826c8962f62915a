"""The multi-task model: one shared encoder, one head per task, one writer for those that write."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.model.attention import register_fast_attention, use_fast_attention
from mtl_core.model.backbones.base import Backbone
from mtl_core.model.dropout import use_fast_dropout
from mtl_core.model.forward_pass import word_table
from mtl_core.model.looking_ahead import Sight, looking_ahead
from mtl_core.model.pooling import Pooler
from mtl_core.model.prefix import as_inputs, run_suffix
from mtl_core.model.probe import EncoderFacts, facts_of
from mtl_core.model.word_rows import RowEmbedding, use_row_embedding
from mtl_core.tasks.base import Head, Task
from mtl_core.tasks.building import telling_what_lacks
from mtl_core.tasks.hidden import Hidden, HiddenSize, Vocabulary
from mtl_core.tasks.writer import Writer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class MultiTaskModel(nn.Module):
    """Runs the encoder once per batch, and on its output the heads that are asked for.

    Frozen modules stay in evaluation mode also while training: without dropout their output for a
    sentence never changes.
    """

    def __init__(
        self,
        encoder: "PreTrainedModel",
        tasks: Mapping[str, Task],
        pooler: Pooler,
        *,
        num_features: Mapping[str, int],
        writer: Writer | None = None,
        layers_ahead: int = 0,
    ) -> None:
        """Makes new heads, drawn from torch's global generator.

        Args:
            encoder: The shared encoder.
            tasks: Task name -> task.
            pooler: Makes the vectors of sentences.
            num_features: Task name -> extra dense numbers of its sentences.
            writer: Makes text of hidden states; None = the backbone has nothing that does.
            layers_ahead: In batches of tasks that do not write, how many of the highest layers let
                sub-words see those behind them, too.
        """
        super().__init__()
        self.encoder = encoder
        self.pooler = pooler
        # Behind the encoder: what both have in common keeps its name there.
        self.writer = writer
        writing = frozenset(name for name, task in tasks.items() if task.writes)
        self.sight = Sight(writing, layers_ahead)
        # Before the heads, which may be tied to this very table.
        self._vocabulary = _vocabulary(encoder, writer if writing else None)
        self.heads = nn.ModuleDict()
        for name, task in tasks.items():
            size = self._size(num_features.get(name, 0))
            with telling_what_lacks(type(task).__name__, name):
                self.heads[_module_name(name)] = task.make_head(size)
        self.num_features = dict(num_features)
        self._frozen: list[nn.Module] = []
        use_fast_dropout(self)
        use_fast_attention(encoder)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickles a model, perhaps in a process that never built one."""
        # The encoder's configuration names the attention; only Python code can make the name known.
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        register_fast_attention()

    @property
    def row_embedding(self) -> RowEmbedding | None:
        """The word embeddings, when only the rows that a step reads need a gradient.

        None when they are frozen, when a head is tied to them, or when they are more than a table.
        """
        if self._vocabulary is None or self._vocabulary.is_tied:
            return None
        table = self._vocabulary.table
        return table if isinstance(table, RowEmbedding) and table.weight.requires_grad else None

    @property
    def uses_encoder(self) -> bool:
        """Whether the hidden states of a text depend on all weights of the encoder."""
        return facts_of(self.encoder).uses_all

    @property
    def whole(self) -> "PreTrainedModel":
        """The model of Transformers that was loaded, and is saved: encoder, and writer if any."""
        is_alone = self.writer is None or not self.writer.is_loaded
        return self.encoder if is_alone else self.writer.whole  # type: ignore[union-attr]

    def whole_names(self) -> frozenset[str]:
        """Returns the names in `state_dict` of what stands in `whole`, too."""
        # By identity: what encoder and writer have in common has two names here.
        there = {id(value) for value in self.whole.state_dict(keep_vars=True).values()}
        own = self.state_dict(keep_vars=True)
        return frozenset(name for name, value in own.items() if id(value) in there)

    def own_weights(self) -> dict[str, Tensor]:
        """Returns name -> weight of what does not stand in `whole`: heads, and a new writer.

        What has several names, as tied weights have, is there once, under the first.
        """
        whole, own = self.whole_names(), self.state_dict(keep_vars=True)
        once = {id(value): name for name, value in reversed(own.items()) if name not in whole}
        return {name: value.detach() for name, value in own.items() if once.get(id(value)) == name}

    def writer_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of the writer that are none of the encoder's."""
        encoder = set(self.encoder.parameters())
        found = () if self.writer is None else self.writer.parameters()
        return [parameter for parameter in found if parameter not in encoder]

    def head(self, task_name: str) -> Head:
        """Returns the head of a task."""
        return self.heads[_module_name(task_name)]  # type: ignore[return-value]

    def head_for(self, name: str, task: Task) -> Head:
        """Returns a head with the weights of a task's own, made for other settings of decoding.

        Args:
            name: The task.
            task: The same task with others of the settings that are read at decoding alone.
        """
        own = self.head(name)
        with torch.random.fork_rng(devices=[]):  # What is drawn for it is overwritten.
            head = task.make_head(self._size(self.num_features.get(name, 0)))
        head.load_state_dict(own.state_dict())
        return head.to(self.encoder.device).train(own.training)

    def set_head(self, name: str, head: Head) -> None:
        """Puts another head in the place of a task's own."""
        self.heads[_module_name(name)] = head

    def _size(self, features: int) -> HiddenSize:
        width = facts_of(self.encoder).width
        return HiddenSize(width, features, self._vocabulary, self.writer)

    def freeze(self, modules: Sequence[nn.Module], parameters: Collection[nn.Parameter]) -> None:
        """Sets anew what of encoder and writer trains.

        Args:
            modules: Run in evaluation mode, without dropout.
            parameters: Keep their weights; all others train, the writer's where a task writes.
        """
        frozen = set(parameters)
        for parameter in self.encoder.parameters():
            parameter.requires_grad_(parameter not in frozen)
        for parameter in self.writer_parameters():
            parameter.requires_grad_(bool(self.sight.writing) and parameter not in frozen)
        self._frozen = list(modules)
        # Modules that were frozen until now take the mode of the model again.
        self.train(self.training)

    def shared_parameters(self) -> Iterator[Tensor]:
        """Yields what trains now in front of all heads; of word embeddings the picked rows."""
        embedding = self.row_embedding
        writer = self.writer_parameters()
        for parameter in (*self.encoder.parameters(), *self.pooler.parameters(), *writer):
            if not parameter.requires_grad:
                continue
            if embedding is not None and parameter is embedding.weight:
                yield parameter if embedding.rows is None else embedding.rows
            else:
                yield parameter

    def train(self, mode: bool = True) -> "MultiTaskModel":
        """Sets training mode; frozen modules keep evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        # The encoder's own code, too, may drop out of what its embeddings give, as BART's does.
        table = word_table(self.encoder)
        if any(one is table for module in self._frozen for one in module.modules()):
            self.encoder.training = False
        return self

    def forward(self, batch: Batch, task_names: Sequence[str]) -> dict[str, Tensor]:
        """Returns task name -> logits, in the shape of the task's head."""
        inputs = as_inputs(batch, facts_of(self.encoder))
        ahead = self.sight.layers_ahead(task_names)
        with looking_ahead(self.encoder, batch.attention_mask, layers=ahead):
            if (frozen := batch.frozen) is None:
                states = self.encoder(**inputs).last_hidden_state  # (batch, seq, hidden)
            else:
                # Files may hold half precision, which layers do not take where autocast is off.
                states = run_suffix(self.encoder, frozen.depth, frozen.values.float(), inputs)
        hidden = Hidden(states, batch, self.pooler)
        logits: dict[str, Tensor] = {name: self.head(name)(hidden) for name in task_names}
        if self.training and any(p.requires_grad for p in self.pooler.parameters()):
            # Where no task pools, too: DistributedDataParallel waits for the gradients of all that
            # trains.
            nothing = 0.0 * hidden.sentence.sum()
            logits = {name: value + nothing for name, value in logits.items()}
        return logits


def build_model(
    backbone: Backbone,
    kept: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    tasks: Mapping[str, Task],
    *,
    num_features: Mapping[str, int],
) -> MultiTaskModel:
    """Returns a model on what a backbone has loaded, with new heads.

    Args:
        backbone: The settings of the backbone.
        kept: What it has loaded.
        tokenizer: Its tokenizer.
        tasks: Task name -> task.
        num_features: Task name -> extra dense numbers of its sentences.
    """
    encoder = backbone.encoder_of(kept)
    return MultiTaskModel(
        encoder,
        tasks,
        backbone.pooler(facts_of(encoder).width),
        num_features=num_features,
        writer=backbone.writer_of(kept, tokenizer),
        layers_ahead=backbone.layers_ahead,
    )


def _word_table(encoder: "PreTrainedModel", facts: EncoderFacts) -> nn.Module | None:
    """Returns an encoder's word embeddings, which train by rows where that is possible."""
    table = word_table(encoder)
    if table is not None and facts.reads_token_ids:
        table = use_row_embedding(encoder, table)
    if isinstance(table, RowEmbedding):
        # The encoder is shared: a run before may have broken off with some rows picked.
        table.drop()
    return table


def _vocabulary(encoder: "PreTrainedModel", writer: Writer | None) -> Vocabulary | None:
    """Returns the word embeddings; they are tied where a writer has them as its own, too."""
    table = _word_table(encoder, facts_of(encoder))
    if not isinstance(table, nn.Embedding):
        return None
    vocabulary = Vocabulary(table)
    if writer is not None and any(one is table.weight for one in writer.parameters()):
        vocabulary.tie()
    return vocabulary


def _module_name(task_name: str) -> str:
    """Returns a name that a ModuleDict takes: it refuses dots and names of its own methods."""
    return f"head_{task_name}"
