"""The SageMaker Python SDK v3: ModelTrainer, resources, endpoint.  Its packages are many: `make test-long` installs them."""

import json
import os
import subprocess
import tempfile

from _claryd import BUILD, Claryd, Skip, main, program
from sdk_v2 import rows

NOTEBOOK = r'''
import json, sys, time
import boto3
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant

session = Session()
role, bucket = get_execution_role(), session.default_bucket()
s3 = boto3.client("s3")
for name, path in zip(("train", "validation"), sys.argv[1:3]):
    s3.upload_file(path, bucket, "v3/%s/data.csv" % name)
image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
trainer = ModelTrainer(training_image=image, role=role, sagemaker_session=session, base_job_name="v3",
                       compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
                       output_data_config=OutputDataConfig(s3_output_path="s3://%s/v3/output" % bucket),
                       hyperparameters={"objective": "binary:logistic", "num_round": "20", "eval_metric": "auc"})
trainer.train(input_data_config=[
    InputData(channel_name=name, data_source="s3://%s/v3/%s/" % (bucket, name), content_type="text/csv")
    for name in ("train", "validation")], wait=True, logs=True)
job = trainer._latest_training_job
job.refresh()
assert job.training_job_status == "Completed", job
artifact = job.model_artifacts.s3_model_artifacts
name = "v3-model"
model = Model.create(model_name=name, execution_role_arn=role, primary_container=ContainerDefinition(image=image, model_data_url=artifact))
config = EndpointConfig.create(endpoint_config_name=name, production_variants=[
    ProductionVariant(variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m5.large")])
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1)
rows = [line.split(",", 1) for line in open(sys.argv[3]).read().split()]
answer = endpoint.invoke(body="\n".join(row for _, row in rows), content_type="text/csv")
scores = [float(x) for x in answer.body.read().decode().replace("\n", ",").split(",") if x]
right = sum((s > 0.5) == (label == "1") for (label, _), s in zip(rows, scores)) / len(rows)
assert right > 0.9, right
endpoint.delete()
config.delete()
model.delete()
print("STORY", json.dumps({"right": right}))
'''


def test_train_deploy_ask():
    python = os.path.join(BUILD, "venv-sdk3", "bin", "python")
    if not os.path.exists(python):
        raise Skip("the SDK v3 is not installed; `make test-long` does")
    if not os.access("/opt/ml/metadata", os.W_OK) and os.geteuid() != 0:
        raise Skip("get_execution_role() needs /opt/ml/metadata, which this user may not write")
    with tempfile.TemporaryDirectory() as folder, Claryd() as server:
        words = []
        for name in ("train", "validation", "test"):
            words.append(os.path.join(folder, name + ".csv"))
            with open(words[-1], "w") as file:
                file.write("\n".join(rows(name + ".csv")))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLARY_"))}
        env["CLARY_HOME"] = server.folder
        printed = subprocess.run([program("clary"), "env", "--shell", "json"], env=env, capture_output=True, text=True, timeout=30)
        assert printed.returncode == 0, printed
        env.update(json.loads(printed.stdout), HOME=folder)
        script = os.path.join(folder, "notebook.py")
        with open(script, "w") as file:
            file.write(NOTEBOOK)
        done = subprocess.run([python, "-W", "ignore", script, *words], env=env, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0 and "STORY" in done.stdout, done.stdout[-4000:] + done.stderr[-6000:]


if __name__ == "__main__":
    main()
