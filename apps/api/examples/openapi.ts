import { Api } from "@runproof/api/Api";
import * as OpenApi from "effect/http-api/OpenApi";

console.log(Object.keys(OpenApi.fromApi(Api).paths));
