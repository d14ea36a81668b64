// Adds buttons that copy the address and the first request. Without it, they can be selected.
import { addCopyButtons } from "./copy.js";

addCopyButtons(document);
