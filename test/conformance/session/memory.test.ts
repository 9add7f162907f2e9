import { sessionSuite } from "./suite.js";

sessionSuite("memory");
