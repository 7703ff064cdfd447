"""A model server for a user's inference script, as SageMaker's framework containers run it.

The script may define model_fn(model_dir), input_fn(body, content_type), predict_fn(data, model), output_fn(prediction,
accept), or transform_fn(model, body, content_type, accept) instead of the last three; what it does not define has the
usual default.  claryd passes this text to python3 -c."""

import http.server
import importlib
import io
import json
import os
import sys
import threading
import traceback

BASE = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
MODEL_DIR = os.path.join(BASE, "model")
CODE_DIR = os.environ["CLARY_SCRIPT_FOLDER"]
LONGEST_BODY = int(os.environ.get("MAX_CONTENT_LENGTH", 6 << 20))


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def default_model(folder):
    raise Refused(500, "the script has no model_fn(model_dir), so the model cannot be loaded")


def default_input(body, content_type):
    import numpy
    kind = content_type.split(";")[0].strip().lower()
    if kind == "application/json":
        return numpy.array(json.loads(body))
    if kind == "text/csv":
        return numpy.genfromtxt(io.StringIO(body.decode() if isinstance(body, bytes) else body), delimiter=",", dtype=float)
    if kind == "application/x-npy":
        return numpy.load(io.BytesIO(body), allow_pickle=False)
    raise Refused(415, "content type %r is none of application/json, text/csv, application/x-npy" % content_type)


def default_predict(data, model):
    return model.predict(data)


def default_output(prediction, accept):
    import numpy
    kind = accept.split(";")[0].strip().lower()
    if kind == "application/json":
        return json.dumps(numpy.asarray(prediction).tolist())
    if kind == "text/csv":
        rows = numpy.atleast_1d(numpy.asarray(prediction))
        return "\n".join(",".join(map(str, numpy.atleast_1d(row).tolist())) for row in rows)
    if kind == "application/x-npy":
        out = io.BytesIO()
        numpy.save(out, prediction)
        return out.getvalue()
    raise Refused(406, "accept %r is none of application/json, text/csv, application/x-npy" % accept)


class Script:
    def __init__(self):
        sys.path.insert(0, CODE_DIR)
        module = importlib.import_module(os.environ["SAGEMAKER_PROGRAM"].rsplit(".", 1)[0].replace("/", "."))
        def of(name, default):
            return getattr(module, name, default)
        self.transform = getattr(module, "transform_fn", None)
        self.input, self.predict, self.output = of("input_fn", default_input), of("predict_fn", default_predict), \
            of("output_fn", default_output)
        self.model = of("model_fn", default_model)(MODEL_DIR)
        self.accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json")
        self.lock = threading.Lock()  # scripts expect one request at a time

    def answer(self, body, content_type, accept):
        accept = self.accept if accept in ("", "*/*") else accept
        if content_type.split(";")[0].strip().lower() in ("text/csv", "application/json", "text/plain"):
            body = body.decode("utf-8")
        with self.lock:
            if self.transform:
                result = self.transform(self.model, body, content_type, accept)
            else:
                result = self.output(self.predict(self.input(body, content_type), self.model), accept)
        if isinstance(result, tuple):
            result, accept = result[0], result[1]
        return result.encode() if isinstance(result, str) else bytes(result), accept


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script = None

    def send(self, status, body, content_type="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        n = int(self.headers.get("Content-Length") or 0)
        if self.path != "/invocations" or n > LONGEST_BODY:
            self.close_connection = True
            return self.send(404 if n <= LONGEST_BODY else 413, b"")
        body = self.rfile.read(n)
        try:
            result = self.script.answer(body, self.headers.get("Content-Type") or self.script.accept,
                                        self.headers.get("Accept") or "")
        except Refused as why:
            return self.send(why.status, str(why).encode())
        except Exception as problem:  # noqa: whatever a user's script may raise
            traceback.print_exc()
            return self.send(500, ("%s: %s" % (type(problem).__name__, problem)).encode())
        self.send(200, *result)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Handler.script = Script()
print("serving %s" % os.environ["SAGEMAKER_PROGRAM"], flush=True)
Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
