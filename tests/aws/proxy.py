"""`clary up --proxy`: programs that know nothing of clary reach it by HTTPS_PROXY and AWS_CA_BUNDLE alone.  And TLS itself."""

import json
import os
import subprocess
import sys
import tempfile

from _claryd import ACCESS_KEY, SECRET_KEY, Claryd, Skip, main, program

PROGRAM = r'''
import boto3, json, urllib.request
print(json.dumps({
    "who": boto3.client("sts").get_caller_identity()["Account"],
    "bucket": boto3.client("s3").create_bucket(Bucket="proxied-bucket")["ResponseMetadata"]["HTTPStatusCode"],
    "body": (boto3.client("s3").put_object(Bucket="proxied-bucket", Key="a/b", Body=b"hello"),
             boto3.client("s3").get_object(Bucket="proxied-bucket", Key="a/b")["Body"].read().decode())[1],
    "jobs": boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"],
    "groups": boto3.client("logs", region_name="eu-west-1").describe_log_groups()["logGroups"],
    "roles": [r["RoleName"] for r in boto3.client("iam").list_roles()["Roles"]],
}))
'''


def test_hard_coded_addresses_are_answered():
    try:
        import boto3  # noqa: F401
    except ImportError as problem:
        raise Skip("boto3 is not installed") from problem
    with Claryd("--proxy") as server:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLARY_")) and "proxy" not in k.lower()}
        env["CLARY_HOME"] = server.folder
        printed = subprocess.run([program("clary"), "env", "--proxy", "--shell", "json", "--no-files"], env=env, capture_output=True,
                                 text=True, timeout=30)
        assert printed.returncode == 0, printed
        values = json.loads(printed.stdout)
        assert "AWS_ENDPOINT_URL" not in values and values["HTTPS_PROXY"] == server.url, values
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=dict(env, **values), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr[-3000:]
        got = json.loads(done.stdout)
        assert got["who"] == "123456789012" and got["body"] == "hello" and "clary" in got["roles"], got
        curl = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_connect}", "--proxy", server.url, "https://example.com/"],
                              capture_output=True, text=True, timeout=20)
        assert curl.stdout == "403", curl


def test_tls():
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True, timeout=60)
        except FileNotFoundError as problem:
            raise Skip("no openssl program") from problem
        with Claryd("--certificate", certificate, "--certificate-key", key) as server:
            assert server.url.startswith("https://"), server.url
            import boto3
            client = boto3.client("s3", endpoint_url=server.url, verify=certificate, aws_access_key_id=ACCESS_KEY,
                                  aws_secret_access_key=SECRET_KEY, region_name="us-east-1")
            client.create_bucket(Bucket="tls-bucket")
            body = os.urandom(3 << 20)
            client.put_object(Bucket="tls-bucket", Key="k", Body=body)
            assert client.get_object(Bucket="tls-bucket", Key="k")["Body"].read() == body
            for version in ("--http1.1", "--http2"):
                curl = subprocess.run(["curl", "-sS", version, "--cacert", certificate, server.url + "/_clary/health"], capture_output=True,
                                      text=True, timeout=20)
                assert json.loads(curl.stdout)["status"] == "ok", (version, curl)


def test_the_cli_commands_speak_tls():
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                               "-subj", "/CN=127.0.0.1"], capture_output=True, timeout=60)
        if made.returncode:
            raise Skip("no openssl program")
        with Claryd("--certificate", certificate, "--certificate-key", key) as server:
            env = dict(os.environ, CLARY_HOME=server.folder)
            status = subprocess.run([program("clary"), "status", "--json"], env=env, capture_output=True, text=True, timeout=30)
            assert status.returncode == 0 and json.loads(status.stdout)["status"] == "ok", status


if __name__ == "__main__":
    main()
