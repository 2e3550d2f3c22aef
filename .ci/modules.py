"""Import every module of the package but those of extras that Colab lacks: the PDF, the downloads, the networks."""

import importlib
import pkgutil

import clapleak

LEFT_OUT = ("clapleak.__main__", "clapleak.book.pdf", "clapleak.fetch")
names = [module.name for module in pkgutil.walk_packages(clapleak.__path__, "clapleak.")]
for name in names:
    if not name.startswith(LEFT_OUT):
        importlib.import_module(name)
print(f"{len(names)} modules")
