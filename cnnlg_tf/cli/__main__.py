"""`python -m cnnlg_tf.cli`."""

import sys

from cnnlg_tf.cli import main

sys.exit(main())
