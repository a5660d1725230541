"""Run in a process of its own by test_distribution: tiny runs on one and on two logical CPU devices.

python replicas.py CONFIG FOLDER trains FOLDER/1 and FOLDER/2.
"""

import sys
from pathlib import Path

from cnnlg_tf.config_files import load_config
from cnnlg_tf.startup import start_tensorflow


def main(config: str, folder: str) -> None:
    start_tensorflow()
    import tensorflow as tf

    from cnnlg_tf.training.run import train

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    for count in (1, 2):
        devices = [f"CPU:{i}" for i in range(count)]
        train(load_config(config), Path(folder) / str(count), devices=devices, quiet=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
