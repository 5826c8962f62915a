"""Names of the files in the folder of a saved model; `saved_model` writes and reads them."""

from collections.abc import Container

FORMAT = 5
"""Version of the folder, which stands in `mtl.json`; any other is refused."""
META = "mtl.json"
"""What else a model needs: format, longest row, and of each task its labels and inputs."""
RUN = "run.yaml"
"""The run that trained it."""
WEIGHTS = "model.safetensors"
"""The weights of encoder and writer, under the names and beside the configuration that
Transformers wants."""
HEADS = "heads.safetensors"
"""The weights of all that is not in that file: heads, learnt pooling."""
CONFIG = "config.json"
"""The encoder's configuration, as Transformers writes it."""
GENERATION = "generation_config.json"
"""How a model that writes begins and ends its texts, as Transformers writes it."""
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
CARD = "README.md"
"""The model card; nothing is read from it."""
SAMPLES = "samples.json"
"""What the model writes for some rows of dev, beside what is right; read by reports alone."""
ERRORS = "errors.json"
"""Where the model errs on dev, with texts of its worst rows; read by reports alone, and never
put on the hub: whoever shows a model does not show its data."""
MODULES = "modules.json"
"""What sentence-transformers makes of a sentence, one module after the other."""
MODULE_ENCODER = "sentence_bert_config.json"
MODULE_POOLING = "1_Pooling/config.json"
ADAPTERS = "adapter_model.safetensors"
"""Adapters in place of weights, under the names that peft gives them."""
ADAPTER_CONFIG = "adapter_config.json"
"""What the adapters are like, and their base, as peft writes it; nothing is read from it."""
FILES = (META, RUN, WEIGHTS, HEADS, CONFIG, TOKENIZER, TOKENIZER_CONFIG)
"""What a model needs."""
ADAPTER_FILES = (META, RUN, ADAPTERS, HEADS, ADAPTER_CONFIG, TOKENIZER, TOKENIZER_CONFIG)
"""What a model needs that holds adapters in place of weights."""
EXTRA_FILES = (CARD, SAMPLES, GENERATION, MODULES, MODULE_ENCODER, MODULE_POOLING)
"""What other tools and people read; not all models have all of them."""
EVERY_FILE = tuple(dict.fromkeys((*FILES, *ADAPTER_FILES, *EXTRA_FILES)))
"""What any model may have."""
READ_FILES = tuple(dict.fromkeys((*FILES, *ADAPTER_FILES, GENERATION)))
"""What is read of any model."""


def files_of(names: Container[str]) -> tuple[str, ...]:
    """Returns the files that a model needs, by the names of those that it has."""
    return ADAPTER_FILES if ADAPTER_CONFIG in names and CONFIG not in names else FILES
