"""Builds the programs of a former commit from the history of the repository."""

import os
import shutil
import subprocess
import tarfile

import pytest

from lab.netlab import ROOT


def git(*words, **options):
    return subprocess.run(["git", "-c", f"safe.directory={ROOT}", *words], cwd=ROOT, check=False, **options)


def build_release(commit):
    """Returns the folder of the programs of `commit`, which are built below build/ once."""
    folder = os.path.join(ROOT, "build", commit)
    programs = os.path.join(folder, "build", "release", "bin")
    if git("cat-file", "-e", commit + "^{commit}", capture_output=True).returncode != 0:
        pytest.fail(
            f"the history of this clone ends after commit {commit}, whose program this test needs: git fetch --unshallow"
        )
    if not os.path.exists(folder):
        unpacked = folder + ".unpacked"  # so that a run which is ended here leaves nothing that looks whole
        shutil.rmtree(unpacked, ignore_errors=True)
        os.makedirs(unpacked)
        archive = git("archive", "--format=tar", "--output", os.path.join(unpacked, "sources.tar"), commit)
        assert archive.returncode == 0
        with tarfile.open(os.path.join(unpacked, "sources.tar")) as sources:
            sources.extractall(unpacked)
        os.rename(unpacked, folder)
    # ccache finds the objects of a former run, also if this folder was removed meanwhile.
    environment = {**os.environ, "CCACHE_BASEDIR": folder, "CCACHE_NOHASHDIR": "1"}
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release", "--target", "icrd", "icr"]):
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-5000:]}"
    return programs
