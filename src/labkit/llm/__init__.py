"""Language models and embeddings behind two small interfaces, and the prompts they are given.

``chat_model(settings)`` and ``embedder(settings)`` choose between weights in this process and an OpenAI-compatible
server. Importing this package loads neither models nor the libraries that run them.
"""

from labkit.llm.chat import chat_model
from labkit.llm.embed import Embedder, TokenEmbedder, embedder
from labkit.llm.prompts import Prompt, load_prompt

__all__ = ["Embedder", "Prompt", "TokenEmbedder", "chat_model", "embedder", "load_prompt"]
