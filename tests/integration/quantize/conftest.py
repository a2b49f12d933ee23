"""SmolLM2 as it is packaged, a few hundred tokens to read, and a question it can answer."""

import pytest

from labkit.models import resolve
from labkit.settings import Settings


@pytest.fixture(scope="session")
def source():
    settings = Settings()
    return resolve("smollm2-135m-instruct", settings.home).path


@pytest.fixture(scope="session")
def texts():
    return [
        "The gripper is closed with a torque wrench in three steps. If a bolt has been loosened it must be replaced, "
        "because the coating on its thread is good for one use only. Do not restart the picker before the guard is "
        "closed and the reset has been confirmed at the panel by the person who opened it.",
        "Our supplier told us on Monday that the second lot would be a week late. We asked for the test reports of the "
        "first one, which had not arrived either, and agreed that nothing is shipped to the customer until both have "
        "been read by somebody from quality. The invoice was paid in part.",
        "In the morning the shuttle stopped twice between the north aisle and the charging place. Nobody was hurt. The "
        "log shows that the safety scanner saw an obstacle at a height where there is none, so we cleaned the lens and "
        "drove the route by hand. It has not happened again since then.",
    ]


@pytest.fixture(scope="session")
def prompt():
    return "<|im_start|>user\nWhat is the capital of France? Answer in one sentence.<|im_end|>\n<|im_start|>assistant\n"
