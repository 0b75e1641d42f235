#!/bin/sh
# What both images do, as root on Debian 12: tpt in /opt/tpt, with vLLM for NVIDIA GPUs, and what its sandbox needs.
#
#   EXTRAS  the package's extras to install (setup.cfg)
set -eu

# g++ and Python's headers are for Triton, too, which compiles kernels where vLLM runs.
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    bubblewrap ca-certificates g++ python3 python3-dev python3-numpy python3-venv
rm -rf /var/lib/apt/lists/*

python3 -m venv /opt/tpt
/opt/tpt/bin/pip install -q --no-cache-dir "/source[${EXTRAS:-vllm,gym,server}]"
