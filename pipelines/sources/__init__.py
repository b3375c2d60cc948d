"""Where frames come from: cameras, brokers, files and the simulator, and the supervisor that keeps them coming."""
