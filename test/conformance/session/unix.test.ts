import { sessionSuite } from "./suite.js";

sessionSuite("unix");
