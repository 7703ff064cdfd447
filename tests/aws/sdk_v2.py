"""The SageMaker Python SDK v2 as notebooks use it: fit with logs, deploy, predict, attach, delete."""

import json
import os
import subprocess
import sys
import tempfile

from _claryd import SOURCE, Claryd, Skip, main, program

DATA = os.path.join(SOURCE, "examples", "data", "breast-cancer")


def rows(name):
    with open(os.path.join(DATA, name)) as file:
        lines = file.read().splitlines()[1:]
    return [line.replace("malignant,", "1,", 1).replace("benign,", "0,", 1) for line in lines]


NOTEBOOK = r'''
import json, os, sys
import boto3, sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import CSVSerializer
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator

session = sagemaker.Session()
role = sagemaker.get_execution_role()
bucket = session.default_bucket()
train, validation, tests = sys.argv[1:4]
inputs = {
    name: TrainingInput(session.upload_data(path, bucket=bucket, key_prefix="sdk/" + name), content_type="text/csv")
    for name, path in (("train", train), ("validation", validation))}
image = sagemaker.image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")
estimator = Estimator(image, role, instance_count=1, instance_type="ml.m5.large", output_path="s3://%s/sdk/output" % bucket,
                      sagemaker_session=session)
estimator.set_hyperparameters(objective="binary:logistic", num_round=30, eval_metric="auc")
estimator.fit(inputs, logs="All", wait=True)
again = Estimator.attach(estimator.latest_training_job.name, sagemaker_session=session)
assert again.model_data == estimator.model_data, (again.model_data, estimator.model_data)
predictor = estimator.deploy(1, "ml.m5.large", serializer=CSVSerializer(), deserializer=CSVDeserializer())
rows = [line.split(",", 1) for line in open(tests).read().split()]
answers = predictor.predict("\n".join(row for _, row in rows))
scores = [float(x) for line in answers for x in line]
right = sum((s > 0.5) == (label == "1") for (label, _), s in zip(rows, scores)) / len(rows)
assert right > 0.9, right
predictor.delete_model()
predictor.delete_endpoint()
print("STORY", json.dumps({"role": role, "bucket": bucket, "image": image, "right": right}))
'''


def run_notebook(server, text, *words, **more):
    """A fresh Python with the environment that `clary env` prints, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLARY_"))}
        env["CLARY_HOME"] = server.folder
        metadata = more.pop("metadata", "/opt/ml/metadata/resource-metadata.json")
        printed = subprocess.run([program("clary"), "env", "--shell", "json", "--metadata", metadata], env=env, capture_output=True,
                                 text=True, timeout=30)
        assert printed.returncode == 0, printed
        env.update(json.loads(printed.stdout), HOME=folder, SAGEMAKER_SUPPRESS_V2_WARNING="1", **more)
        script = os.path.join(folder, "notebook.py")
        with open(script, "w") as file:
            file.write(text)
        done = subprocess.run([sys.executable, "-W", "ignore", script, *words], env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout


def test_fit_with_logs_deploy_predict():
    try:
        import sagemaker  # noqa: v2 only
    except ImportError as problem:
        raise Skip("the SageMaker SDK is not installed") from problem
    if not sagemaker.__version__.startswith("2."):
        raise Skip("this is not the SDK v2")
    if not os.access("/opt/ml/metadata", os.W_OK) and os.geteuid() != 0:
        raise Skip("get_execution_role() needs /opt/ml/metadata, which this user may not write")
    with tempfile.TemporaryDirectory() as folder, Claryd() as server:
        paths = []
        for name in ("train", "validation", "test"):
            paths.append(os.path.join(folder, name + ".csv"))
            with open(paths[-1], "w") as file:
                file.write("\n".join(rows(name + ".csv")))
        out = run_notebook(server, NOTEBOOK, *paths)
        story = json.loads(out.split("STORY ")[1])
        assert story["bucket"] == "sagemaker-us-east-1-123456789012" and story["role"].endswith(":role/clary"), story
        assert "train-auc" in out and "Training seconds" in out, out[-2000:]


if __name__ == "__main__":
    main()
