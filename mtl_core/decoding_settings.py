"""Settings that are read at decoding alone, set anew on a saved model: it need not be trained."""

from collections.abc import Mapping
from dataclasses import replace

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.saved_model import SavedModel
from mtl_core.study_file import Document, Origin
from mtl_core.tasks.building import build_task
from mtl_core.validation import validate


def with_settings(saved: SavedModel, settings: Mapping[str, object]) -> SavedModel:
    """Returns a model that reads its logits, or writes, by other settings; it shares all weights.

    Args:
        saved: The model, whose heads become those of the settings.
        settings: Dotted key of `run` -> value, such as `tasks.reply.decoding.max_new_tokens`.

    Raises:
        ConfigError: A setting is read in training, too, is not known, or has a wrong value.
    """
    if not settings:
        return saved
    for key in settings:
        if not saved.config.is_at_decoding(key):
            allowed = [
                f"tasks.{name}.{one}"
                for name, task in saved.config.tasks.items()
                for one in task.at_decoding
            ]
            raise ConfigError(
                f"--set {key}: a trained model takes settings alone that need no training: "
                f"{', '.join(allowed) or 'this one has none'}.{did_you_mean(key, allowed)}"
            )
    place = Origin(is_override=False, line=0, text="run.yaml")
    own = Document(saved.config.plain_for(settings), {(): place})
    config = validate(own.with_overrides(settings), RunConfig)
    tasks = dict(saved.tasks)
    for name, section in config.tasks.items():
        if section != saved.config.tasks[name]:
            tasks[name] = build_task(name, section, saved.tasks[name].labels)
            saved.model.set_head(name, saved.model.head_for(name, tasks[name]))
    return replace(saved, config=config, tasks=tasks)
