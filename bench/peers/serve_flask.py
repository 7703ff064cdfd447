"""The peer of bench/serve.py: flask with the xgboost package, CSV in and CSV out, as SageMaker's open
containers are built.  gunicorn 'serve_flask:make("MODEL")'"""

import flask
import numpy as np
import xgboost as xgb


def make(path):
    booster = xgb.Booster()
    with open(path, "rb") as file:
        booster.load_model(bytearray(file.read()))
    booster.set_param({"nthread": 1})
    app = flask.Flask(__name__)

    @app.get("/ping")
    def ping():
        return "", 200

    @app.post("/invocations")
    def invocations():
        lines = flask.request.get_data(as_text=True).strip().split("\n")
        rows = np.array([line.split(",") for line in lines], dtype=np.float32)
        return flask.Response("\n".join("%.7g" % p for p in booster.predict(xgb.DMatrix(rows))), mimetype="text/csv")

    return app
