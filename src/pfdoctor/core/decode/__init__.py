"""Errors in texts: what an Azure service, az, a build, Python, a web server or a client library printed, as facts.

Decoders are called where a literal of theirs was found. Whoever searches a long text for other literals, such as
those of symptoms, hands them to `Reading`, which finds all of them in the same pass.
"""

from pfdoctor.core.decode.reading import Reading, Sighting, decode
from pfdoctor.core.decode.record import Decoded, excerpt
from pfdoctor.core.decode.stages import STAGES, Stage

__all__ = ["STAGES", "Decoded", "Reading", "Sighting", "Stage", "decode", "excerpt"]
