"""One multi-task training run: data, tasks, model and training loop, without Ray or Optuna."""
