"""Which distribution provides which module, and what it pulls in.

The table was made from the newest wheels of these distributions, for Python 3.11 on Linux. A distribution that is not
in it is not known: nothing follows from it or its absence.
"""

from __future__ import annotations

from collections.abc import Iterable

# distribution | modules (dotted below a namespace that several share) | what it requires without an extra
_TABLE = """
aiohappyeyeballs|aiohappyeyeballs|
aiohttp|aiohttp|aiohappyeyeballs aiosignal attrs frozenlist multidict propcache typing-extensions yarl
aiosignal|aiosignal|frozenlist typing-extensions
aniso8601|aniso8601|
annotated-doc|annotated_doc|
annotated-types|annotated_types|
anthropic|anthropic|anyio docstring-parser httpx2 jiter opentelemetry-api pydantic sniffio typing-extensions
anyio|anyio|idna typing-extensions
argcomplete|argcomplete|
asgiref|asgiref|
attrs|attr attrs|
azure-ai-contentsafety|azure.ai.contentsafety|azure-core isodate
azure-ai-documentintelligence|azure.ai.documentintelligence|azure-core isodate typing-extensions
azure-ai-evaluation|azure.ai.evaluation|aiohttp azure-core azure-identity azure-storage-blob httpx jinja2 msrest \
nltk openai pandas pyjwt ruamel-yaml
azure-ai-formrecognizer|azure.ai.formrecognizer|azure-common azure-core msrest typing-extensions
azure-ai-inference|azure.ai.inference|azure-core isodate typing-extensions
azure-ai-ml|azure.ai.ml|azure-core azure-mgmt-core azure-monitor-opentelemetry azure-storage-blob \
azure-storage-file-datalake azure-storage-file-share colorama isodate jsonschema marshmallow pydash pyjwt pyyaml \
strictyaml tqdm typing-extensions
azure-ai-projects|azure.ai.projects|azure-core azure-identity azure-storage-blob isodate openai typing-extensions
azure-core|azure.core|requests typing-extensions
azure-core-tracing-opentelemetry|azure.core.tracing.ext.opentelemetry_span|azure-core opentelemetry-api
azure-cosmos|azure.cosmos|azure-core typing-extensions
azure-identity|azure.identity|azure-core cryptography msal msal-extensions typing-extensions
azure-keyvault-secrets|azure.keyvault.secrets|azure-core isodate typing-extensions
azure-mgmt-core|azure.mgmt.core|azure-core
azure-monitor-opentelemetry|azure.monitor.opentelemetry|azure-core azure-core-tracing-opentelemetry \
azure-monitor-opentelemetry-exporter opentelemetry-instrumentation-django opentelemetry-instrumentation-fastapi \
opentelemetry-instrumentation-flask opentelemetry-instrumentation-psycopg2 opentelemetry-instrumentation-requests \
opentelemetry-instrumentation-urllib opentelemetry-instrumentation-urllib3 opentelemetry-resource-detector-azure \
opentelemetry-sdk
azure-monitor-opentelemetry-exporter|azure.monitor.opentelemetry.exporter|azure-core azure-identity msrest \
opentelemetry-api opentelemetry-sdk psutil
azure-search-documents|azure.search.documents|azure-core isodate typing-extensions
azure-storage-blob|azure.storage.blob|azure-core cryptography isodate typing-extensions
azure-storage-file-datalake|azure.storage.filedatalake|azure-core azure-storage-blob isodate typing-extensions
azure-storage-file-share|azure.storage.fileshare|azure-core cryptography isodate typing-extensions
azureml-ai-monitoring|azureml|pandas requests
beautifulsoup4|bs4|soupsieve typing-extensions
blinker|blinker|
certifi|certifi|
cffi|cffi|pycparser
charset-normalizer|charset_normalizer|
chromadb|chromadb chromadb_rust_bindings|bcrypt build grpcio httpx importlib-resources jsonschema kubernetes mmh3 \
numpy onnxruntime opentelemetry-api opentelemetry-exporter-otlp-proto-grpc opentelemetry-sdk orjson overrides \
pybase64 pydantic pydantic-settings pypika pyyaml rich tenacity tokenizers tqdm typer typing-extensions uvicorn
click|click|
colorama|colorama|
cryptography|cryptography|cffi
docstring-parser|docstring_parser|
duckdb|adbc_driver_duckdb duckdb|
faiss-cpu|faiss|numpy packaging
fastapi|fastapi|annotated-doc pydantic starlette typing-extensions typing-inspection
filelock|filelock|
filetype|filetype|
fixedint|fixedint|
flask|flask|blinker click itsdangerous jinja2 markupsafe werkzeug
flask-cors|flask_cors|flask werkzeug
flask-restx|flask_restx|aniso8601 flask importlib-resources jsonschema referencing werkzeug
frozenlist|frozenlist|
gitdb|gitdb|smmap
gitpython|git|gitdb
google-search-results|serpapi|requests
googleapis-common-protos|google|protobuf
gptcache|gptcache gptcache_server|cachetools numpy requests
gunicorn|gunicorn|
h11|h11|
html2text|html2text|
httpcore|httpcore|certifi h11
httpcore2|httpcore2|h11 truststore
httpx|httpx|anyio certifi httpcore idna
httpx2|httpx2|anyio httpcore2 idna truststore typing-extensions
idna|idna|
importlib-metadata|importlib_metadata|zipp
importlib-resources|importlib_resources|
isodate|isodate|
itsdangerous|itsdangerous|
jaraco-classes|jaraco|more-itertools
jeepney|jeepney|
jinja2|jinja2|markupsafe
jiter|jiter|
jsonschema|jsonschema|attrs jsonschema-specifications referencing rpds-py
jsonschema-specifications|jsonschema_specifications|referencing
keyring|keyring|importlib-metadata jaraco-classes jeepney secretstorage
langchain|langchain|langchain-core langgraph pydantic
langchain-community|langchain_community|aiohttp httpx-sse langchain-classic langchain-core langsmith numpy \
pydantic-settings pyyaml requests sqlalchemy tenacity
langchain-core|langchain_core|certifi httpx jsonpatch langchain-protocol langsmith packaging pydantic pyyaml \
tenacity typing-extensions uuid-utils
langchain-openai|langchain_openai|certifi langchain-core openai tiktoken
langchain-text-splitters|langchain_text_splitters|langchain-core
lxml|lxml|
markdownify|markdownify|beautifulsoup4 six
markupsafe|markupsafe|
marshmallow|marshmallow|packaging
matplotlib|matplotlib mpl_toolkits pylab|contourpy cycler fonttools kiwisolver numpy packaging pillow pyparsing \
python-dateutil
more-itertools|more_itertools|
msal|msal|cryptography pyjwt requests
msal-extensions|msal_extensions|msal
msrest|msrest|azure-core certifi isodate requests requests-oauthlib
multidict|multidict|
networkx|networkx|
nltk|nltk|click defusedxml joblib regex tqdm
numpy|numpy|
oauthlib|oauthlib|
openai|openai|anyio httpx2 jiter pydantic sniffio typing-extensions
opencensus-ext-azure|opencensus|azure-core azure-identity opencensus psutil requests
opentelemetry-api|opentelemetry|importlib-metadata typing-extensions
opentelemetry-exporter-otlp-proto-common|opentelemetry|opentelemetry-proto
opentelemetry-exporter-otlp-proto-http|opentelemetry|googleapis-common-protos opentelemetry-api \
opentelemetry-exporter-otlp-proto-common opentelemetry-proto opentelemetry-sdk requests typing-extensions
opentelemetry-instrumentation|opentelemetry|opentelemetry-api opentelemetry-semantic-conventions packaging wrapt
opentelemetry-instrumentation-asgi|opentelemetry|asgiref opentelemetry-api opentelemetry-instrumentation \
opentelemetry-semantic-conventions opentelemetry-util-http
opentelemetry-instrumentation-dbapi|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-semantic-conventions wrapt
opentelemetry-instrumentation-django|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-instrumentation-wsgi opentelemetry-semantic-conventions opentelemetry-util-http
opentelemetry-instrumentation-fastapi|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-instrumentation-asgi opentelemetry-semantic-conventions opentelemetry-util-http
opentelemetry-instrumentation-flask|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-instrumentation-wsgi opentelemetry-semantic-conventions opentelemetry-util-http packaging
opentelemetry-instrumentation-psycopg2|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-instrumentation-dbapi
opentelemetry-instrumentation-requests|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-semantic-conventions opentelemetry-util-http
opentelemetry-instrumentation-urllib|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-semantic-conventions opentelemetry-util-http
opentelemetry-instrumentation-urllib3|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-semantic-conventions opentelemetry-util-http wrapt
opentelemetry-instrumentation-wsgi|opentelemetry|opentelemetry-api opentelemetry-instrumentation \
opentelemetry-semantic-conventions opentelemetry-util-http
opentelemetry-proto|opentelemetry|protobuf
opentelemetry-resource-detector-azure|opentelemetry|opentelemetry-instrumentation opentelemetry-sdk
opentelemetry-sdk|opentelemetry|opentelemetry-api opentelemetry-semantic-conventions typing-extensions
opentelemetry-semantic-conventions|opentelemetry|opentelemetry-api typing-extensions
opentelemetry-util-http|opentelemetry|
packaging|packaging|
pandas|pandas|numpy python-dateutil pytz tzdata
pillow|PIL|
pip|pip|
promptflow|promptflow|promptflow-core promptflow-devkit promptflow-tracing
promptflow-azure|promptflow|azure-ai-ml azure-core azure-cosmos azure-identity azure-storage-blob \
promptflow-devkit pyjwt
promptflow-contentsafety|content_safety_text|
promptflow-core|promptflow|docstring-parser fastapi filetype flask jsonschema promptflow-tracing psutil \
python-dateutil ruamel-yaml starlette
promptflow-devkit|promptflow|argcomplete azure-monitor-opentelemetry-exporter colorama cryptography filelock \
flask-cors flask-restx gitpython httpx keyring marshmallow opentelemetry-exporter-otlp-proto-http pandas pillow \
promptflow-core pydash python-dotenv sqlalchemy strictyaml tabulate waitress
promptflow-evals|promptflow|azure-core azure-identity jsonpath-ng nltk numpy promptflow-core promptflow-devkit \
pyjwt rouge-score websocket-client
promptflow-parallel|promptflow|promptflow-core
promptflow-tools|promptflow|google-search-results openai promptflow
promptflow-tracing|promptflow|openai opentelemetry-sdk tiktoken
promptflow-vectordb|promptflow_vectordb|azure-ai-ml azure-cosmos azure-identity azure-search-documents azureml-rag \
elasticsearch faiss-cpu langchain langchain-community langchain-pinecone langchain-qdrant numpy pgvector \
pinecone-client psycopg2-binary pymongo pymongo-schema qdrant-client rank-bm25 requests requests-cache ruamel-yaml \
weaviate-client
prompty|prompty|aiofiles pyyaml
propcache|propcache|
protobuf|google.protobuf|
psutil|psutil|
psycopg2-binary|psycopg2|
pycparser|pycparser|
pydantic|pydantic|annotated-types pydantic-core typing-extensions typing-inspection
pydantic-core|pydantic_core|typing-extensions
pydash|pydash|typing-extensions
pyjwt|jwt|
pymupdf|fitz pymupdf pymupdf4llm|networkx numpy onnxruntime psutil pymupdf-layout pymupdf4llm pyyaml tabulate
pyodbc|pyodbc|
pypdf|pypdf|
pypdf2|PyPDF2|
python-dateutil|dateutil|six
python-docx|docx|lxml typing-extensions
python-dotenv|dotenv|
pytz|pytz|
pyyaml|yaml|
redis|redis|
referencing|referencing|attrs rpds-py typing-extensions
regex|regex|
requests|requests|certifi charset-normalizer idna urllib3
requests-oauthlib|requests_oauthlib|oauthlib requests
rouge-score|rouge_score|absl-py nltk numpy six
rpds-py|rpds|
ruamel-yaml|ruamel|
scikit-learn|sklearn|joblib narwhals numpy scipy threadpoolctl
secretstorage|secretstorage|cryptography jeepney
selenium|selenium|certifi trio trio-websocket typing-extensions urllib3 websocket-client
semantic-kernel|semantic_kernel|aiohttp aiortc azure-ai-agents azure-ai-projects azure-identity cloudevents \
defusedxml jinja2 mcp nest-asyncio numpy openai openapi-core opentelemetry-api opentelemetry-sdk prance pybars4 \
pydantic pydantic-settings scipy typing-extensions websockets
sentence-transformers|sentence_transformers|huggingface-hub scikit-learn scipy torch tqdm transformers \
typing-extensions
serpapi|serpapi|requests
setuptools|pkg_resources setuptools|
six|six|
smmap|smmap|
sniffio|sniffio|
spacy|spacy|catalogue cymem jinja2 murmurhash numpy packaging preshed pydantic requests setuptools spacy-legacy \
spacy-loggers srsly thinc tqdm typer wasabi weasel
sqlalchemy|sqlalchemy|typing-extensions
starlette|starlette|anyio typing-extensions
strictyaml|strictyaml|python-dateutil
tabulate|tabulate|
tenacity|tenacity|
tiktoken|tiktoken tiktoken_ext|regex requests
torch|functorch torch torchgen|filelock fsspec jinja2 networkx sympy typing-extensions
tqdm|tqdm|
transformers|transformers|filelock huggingface-hub numpy packaging pyyaml regex requests safetensors tokenizers tqdm
truststore|truststore|
typing-extensions|typing_extensions|
typing-inspection|typing_inspection|typing-extensions
tzdata|tzdata|
urllib3|urllib3|
uvicorn|uvicorn|click h11
waitress|waitress|
werkzeug|werkzeug|markupsafe
wikipedia|wikipedia|beautifulsoup4 requests
wrapt|wrapt|
yarl|yarl|idna multidict propcache
zipp|zipp|
"""

# Modules whose distribution bears another name, where the table above does not tell. The usual one stands first.
_OTHER_NAMES = {
    "Crypto": ("pycryptodome",),
    "azureml.core": ("azureml-core",),
    "azureml.fsspec": ("azureml-fsspec",),
    "azureml.rag": ("azureml-rag",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "dateutil": ("python-dateutil",),
    "docx": ("python-docx",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "git": ("gitpython",),
    "googleapiclient": ("google-api-python-client",),
    "jose": ("python-jose",),
    "magic": ("python-magic",),
    "mysql": ("mysql-connector-python",),
    "MySQLdb": ("mysqlclient",),
    "pinecone": ("pinecone", "pinecone-client"),
    "pptx": ("python-pptx",),
    "psycopg2": ("psycopg2-binary", "psycopg2"),
    "serpapi": ("google-search-results", "serpapi"),
    "slugify": ("python-slugify",),
    "snowflake": ("snowflake-connector-python",),
    "tavily": ("tavily-python",),
    "telegram": ("python-telegram-bot",),
    "vertexai": ("google-cloud-aiplatform",),
    "win32com": ("pywin32",),
}

# Namespaces below which distributions share nothing but the name.
_NAMESPACES = ("azure", "azureml", "google")

# Documented content of the prompt flow runtime images; what these pull in comes along.
_RUNTIME_IMAGE = (
    *("promptflow", "promptflow-azure", "promptflow-tools", "promptflow-vectordb"),
    *("azureml-ai-monitoring", "gunicorn"),
)


def _read_table() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    modules, requires = {}, {}
    for line in _TABLE.split("\n"):
        if line:
            name, provided, required = line.split("|")
            modules[name] = tuple(provided.split())
            requires[name] = tuple(required.split())
    return modules, requires


_MODULES, _REQUIRES = _read_table()


def split_module(module: str, names: Iterable[str]) -> tuple[str, ...]:
    """What an import asks a distribution for: the top-level module, or below a shared namespace the dotted package.

    `import azure.identity.aio` gives ("azure.identity",); `from azure import identity` the same.
    """
    segments = module.split(".")
    if segments[0] not in _NAMESPACES:
        return (segments[0],)
    if len(segments) == 1:
        return tuple(f"{module}.{name}" for name in names) or (module,)
    known = [one for provided in _MODULES.values() for one in provided if f"{module}.".startswith(f"{one}.")]
    if known:
        return (max(known, key=len),)
    # a package below is taken for the distribution of that name: azure.ai.x is azure-ai-x, azureml.x is azureml-x
    return (".".join(segments[: 3 if segments[0] in ("azure", "google") and len(segments) > 2 else 2]),)


def distributions_of(module: str) -> tuple[str, ...]:
    """The distributions that provide a module as split_module names it, the usual one first."""
    if module in _OTHER_NAMES:
        return _OTHER_NAMES[module]
    known = tuple(name for name, provided in _MODULES.items() if module in provided)
    return known or (module.replace("_", "-").replace(".", "-").lower(),)


def closure(names: Iterable[str]) -> tuple[frozenset[str], bool]:
    """The distributions and all they pull in, and whether every one of them is known."""
    found: set[str] = set()
    complete = True
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        if name in _REQUIRES:
            queue += _REQUIRES[name]
        else:
            complete = False
    return frozenset(found), complete


def runtime_image() -> frozenset[str]:
    """Distributions that the prompt flow runtime images are known to hold."""
    return closure(_RUNTIME_IMAGE)[0]
