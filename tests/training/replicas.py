"""Run in a process of its own by test_distribution: a tiny run on one or more logical CPU devices.

python replicas.py CONFIG RUN DEVICES, where DEVICES is how many.
"""

import sys

from cnnlg_tf.config import load_config
from cnnlg_tf.startup import start_tensorflow


def main(config: str, run: str, devices: str) -> None:
    start_tensorflow()
    import tensorflow as tf

    from cnnlg_tf.training.run import train

    count = int(devices)
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * count
    )
    train(load_config(config), run, devices=[f"CPU:{i}" for i in range(count)], quiet=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
