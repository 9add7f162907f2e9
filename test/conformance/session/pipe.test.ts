import { sessionSuite } from "./suite.js";

sessionSuite("pipe");
