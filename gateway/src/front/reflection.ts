/**
 * gRPC server reflection, both versions: tools can ask which services there are, and for the files that declare them, which
 * they get byte by byte as the user function gave them, options included. A file comes with all that it imports.
 */

import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import type { Descriptor } from "../descriptor/descriptor.ts";

interface Question {
  fileByFilename?: string;
  fileContainingSymbol?: string;
  fileContainingExtension?: object;
  allExtensionNumbersOfType?: string;
  listServices?: string;
  messageRequest?: keyof Question;
}

interface Asked {
  question: Question & { host: string };
  bytes: Buffer;
}

const { root } = protobuf.parse(`
  syntax = "proto3";
  message ServerReflectionRequest {
    string host = 1;
    oneof message_request {
      string file_by_filename = 3;
      string file_containing_symbol = 4;
      bytes file_containing_extension = 5;
      string all_extension_numbers_of_type = 6;
      string list_services = 7;
    }
  }
  message ServerReflectionResponse {
    string valid_host = 1;
    bytes original_request = 2;
    oneof message_response {
      Files file_descriptor_response = 4;
      Services list_services_response = 6;
      Failure error_response = 7;
    }
  }
  message Files { repeated bytes file_descriptor_proto = 1; }
  message Services { repeated Service service = 1; }
  message Service { string name = 1; }
  message Failure { int32 error_code = 1; string error_message = 2; }
`);
const Request = root.lookupType("ServerReflectionRequest");
const Response = root.lookupType("ServerReflectionResponse");
const VERSIONS = ["v1", "v1alpha"];
const asTheyAre = (bytes: Buffer) => bytes;

export function addReflection(server: Server, descriptor: Descriptor, services: readonly string[]): void {
  const handle = (stream: ServerDuplexStream<Asked, Buffer>) => {
    stream.on("data", (asked: Asked) => {
      if (stream.write(answer(asked, descriptor, services))) return;
      // Who does not read its answers gets no further ones made.
      stream.pause();
      stream.once("drain", () => stream.resume());
    });
    stream.on("end", () => stream.end());
    stream.on("error", () => {});
  };
  for (const version of VERSIONS) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    server.register(path, handle, asTheyAre, readQuestion, "bidi");
  }
}

/** Throws where the bytes are no question: that ends the stream they came on. */
function readQuestion(bytes: Buffer): Asked {
  return { question: Request.decode(bytes) as unknown as Asked["question"], bytes };
}

function answer({ question, bytes }: Asked, descriptor: Descriptor, services: readonly string[]): Buffer {
  const response = {
    validHost: question.host,
    originalRequest: bytes,
    ...findAnswer(question, descriptor, services),
  };
  return Buffer.from(Response.encode(Response.create(response)).finish());
}

function findAnswer(question: Question, { files, symbols }: Descriptor, services: readonly string[]): object {
  const { fileByFilename, fileContainingSymbol = "", messageRequest } = question;
  switch (messageRequest) {
    case "listServices":
      return { listServicesResponse: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return toFiles(fileByFilename, files);
    case "fileContainingSymbol":
      return toFiles(symbols.get(fileContainingSymbol), files);
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return refuse(status.NOT_FOUND, "extensions are not listed here");
    default:
      return refuse(status.UNIMPLEMENTED, "the question is not known here");
  }
}

/** The file first, then what it imports, directly or not. */
function toFiles(name: string | undefined, files: Descriptor["files"]): object {
  if (name === undefined || !files.has(name)) return refuse(status.NOT_FOUND, "there is no such file or symbol");
  const wanted = new Set([name]);
  for (const one of wanted) for (const imported of files.get(one)?.imports ?? []) wanted.add(imported);
  const fileDescriptorProto = [...wanted].flatMap((one) => files.get(one)?.bytes ?? []);
  return { fileDescriptorResponse: { fileDescriptorProto } };
}

function refuse(errorCode: status, errorMessage: string): object {
  return { errorResponse: { errorCode, errorMessage } };
}
