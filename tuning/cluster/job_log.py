"""Copies the log of a job on a cluster to stdout until the job has ended."""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""Wait until a log that broke off is asked for again."""


def follow_job(client: "JobSubmissionClient", job: str) -> int:
    """Copies the log until the job has ended and returns its exit code."""
    written = 0
    while not (details := client.get_job_info(job)).status.is_terminal():
        written = asyncio.run(_copy_log(client, job, written))
    # What came between the last copy and the end.
    say(client.get_job_logs(job)[written:])
    if details.status == "SUCCEEDED":
        return 0
    if details.driver_exit_code is None:  # it never started, was stopped, or its node died
        say(f"Job {job} {details.status}: {details.message}\n")
    return details.driver_exit_code if (details.driver_exit_code or 0) > 0 else 1


async def _copy_log(client: "JobSubmissionClient", job: str, written: int) -> int:
    """Copies the log to stdout until it ends or the connection breaks; returns what is written.

    Ray sends the log from its start every time, so the first `written` characters are left out.
    """
    from aiohttp import ClientError

    received = 0
    try:
        async for text in client.tail_job_logs(job):
            say(text[max(0, written - received) :])
            received += len(text)
    except (ClientError, OSError, RuntimeError) as error:
        _logger.debug("the log of job %s broke off, trying again: %s", job, error)
        await asyncio.sleep(RETRY_SECONDS)
    # A log that broke off early has brought less than is written already.
    return max(written, received)


def say(text: str) -> None:
    """Writes to stdout at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
