"""AWS's JavaScript SDK v3: the stories of js/story.mjs, each against a fresh server."""

import os
import shutil
import subprocess

from _claryd import BUILD, SOURCE, Claryd, Skip, main


def tell(story):
    folder = os.path.join(BUILD, "js")
    if not shutil.which("node") or not os.path.isdir(os.path.join(folder, "node_modules")):
        raise Skip("node or the SDK's packages are not installed")
    shutil.copy(os.path.join(SOURCE, "tests", "aws", "js", "story.mjs"), folder)
    with Claryd() as server:
        env = server.environment(STORY_DATA=os.path.join(SOURCE, "examples", "data", "breast-cancer", "train.csv"))
        done = subprocess.run(["node", "story.mjs", story], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_caller():
    tell("caller")


def test_objects():
    tell("objects")


def test_logs_and_metrics():
    tell("logsAndMetrics")


def test_train_and_ask():
    tell("trainAndAsk")


if __name__ == "__main__":
    main()
