"""moto's server, corrected in two points."""

import functools
import sys

import jsonpath_ng.ext
from moto.events.utils import EventTemplateParser
from moto.server import main

# Its events lack `account`, which every event of AWS has, and by which the worker knows one.
EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE = EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE.replace(
    '"region"', '"account": "<account>", "region"'
)
# For each event it builds the parser of its paths anew, which takes half a second.
jsonpath_ng.ext.parse = functools.cache(jsonpath_ng.ext.parse)
main(sys.argv[1:])
