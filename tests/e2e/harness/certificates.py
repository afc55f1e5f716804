"""A throw-away certificate authority, made with the openssl command line."""
import subprocess
from pathlib import Path


class Authority:
    def __init__(self, folder: Path, name="headrace test CA"):
        self.folder = folder
        folder.mkdir(parents=True)
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", self._key, "-out", self.certificate, "-days", "2", "-subj", f"/CN={name}")
        for file, text in (("index.txt", ""), ("serial", "01\n"), ("ca.cnf", _CA_CONFIG)):
            (folder / file).write_text(text)

    def issue(self, name, subject_names, dates=None):
        """Returns (certificate, key) files; `dates` is (start, end) as YYYYMMDDHHMMSSZ."""
        key, request, certificate = (self.folder / f"{name}.{e}" for e in ("key", "csr", "pem"))
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject_names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        span = ["-startdate", dates[0], "-enddate", dates[1]] if dates else ["-days", "2"]
        _openssl("ca", "-batch", "-config", self.folder / "ca.cnf", "-cert", self.certificate,
                 "-keyfile", self._key, "-in", request, "-out", certificate, "-outdir", self.folder,
                 "-extfile", extensions, *span, "-notext", cwd=self.folder)
        return certificate, key


_CA_CONFIG = """[ca]
default_ca = own
[own]
database = index.txt
serial = serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def _openssl(*arguments, cwd=None):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr}"
