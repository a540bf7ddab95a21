"""Sessions to vendors' command lines: Huawei VRP8 and VRP5, H3C Comware, Ruijie RGOS, ZTE ZXR10.

``VendorSession`` is the one door; everything else here is behind it.
"""

from provision.vendor.errors import VendorError
from provision.vendor.session import Credentials, VendorSession

__all__ = ["Credentials", "VendorError", "VendorSession"]
