"""deepself: which deep model classifies these recordings best, and how sure are we?"""

__version__ = "0.1.0"
