"""Names of the files in the folder of a saved model; `saved_model` writes and reads them."""

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
MODULES = "modules.json"
"""What sentence-transformers makes of a sentence, one module after the other."""
MODULE_ENCODER = "sentence_bert_config.json"
MODULE_POOLING = "1_Pooling/config.json"
FILES = (META, RUN, WEIGHTS, HEADS, CONFIG, TOKENIZER, TOKENIZER_CONFIG)
"""What a model needs."""
EXTRA_FILES = (CARD, GENERATION, MODULES, MODULE_ENCODER, MODULE_POOLING)
"""What other tools and people read; not all models have all of them."""
