"""The replicas of the Ray Serve graph, as plain classes; `serve.app` makes deployments of them."""
