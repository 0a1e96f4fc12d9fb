/* Runs signatures of SavedModels as a server does: by the C API, from their tensors' names.

   run_signatures PLAN

   PLAN is lines of text: "load FOLDER"; then for each call "run INPUTS OUTPUTS", and so many lines
   "OPERATION INDEX DTYPE RANK DIMENSIONS... FILE" and then "OPERATION INDEX FILE". Files hold a
   tensor's bytes; of strings each one's length, 8 bytes, before it. An output's file starts with its
   dtype, its rank and its dimensions, 8 bytes each. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

enum { MOST = 16, LONGEST = 4096 };

/* graph_options { rewrite_options { disable_meta_optimizer: true } }: small graphs take longer to
   optimize than to run. */
static const uint8_t NOT_OPTIMIZED[] = {0x52, 5, 0x52, 3, 0x98, 1, 1};

static void check(int good, const char *what) {
  if (!good) {
    fprintf(stderr, "%s\n", what);
    exit(1);
  }
}

static void check_status(TF_Status *status) {
  check(TF_GetCode(status) == TF_OK, TF_Message(status));
}

static TF_Output read_output(FILE *plan, TF_Graph *graph) {
  char name[LONGEST];
  int index;
  check(fscanf(plan, "%4095s %d", name, &index) == 2, "the plan ends early");
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  check(output.oper != NULL, name);
  return output;
}

static FILE *open_file(FILE *plan, const char *mode) {
  char path[LONGEST];
  check(fscanf(plan, "%4095s", path) == 1, "the plan ends early");
  FILE *file = fopen(path, mode);
  check(file != NULL, path);
  return file;
}

static TF_Tensor *read_tensor(FILE *plan) {
  int dtype, rank;
  int64_t dims[MOST], count = 1;
  check(fscanf(plan, "%d %d", &dtype, &rank) == 2 && rank <= MOST, "the plan ends early");
  for (int i = 0; i < rank; i++) {
    check(fscanf(plan, "%lld", (long long *)&dims[i]) == 1, "the plan ends early");
    count *= dims[i];
  }
  size_t item = dtype == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(dtype);
  TF_Tensor *tensor = TF_AllocateTensor(dtype, dims, rank, count * item);
  FILE *file = open_file(plan, "rb");
  if (dtype == TF_STRING) {
    TF_TString *strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < count; i++) {
      uint64_t length;
      check(fread(&length, 8, 1, file) == 1, "a file is too short");
      char *bytes = malloc(length);
      check(fread(bytes, 1, length, file) == length, "a file is too short");
      TF_StringInit(&strings[i]);
      TF_StringCopy(&strings[i], bytes, length);
      free(bytes);
    }
  } else {
    check(fread(TF_TensorData(tensor), item, count, file) == (size_t)count, "a file is too short");
  }
  fclose(file);
  return tensor;
}

static void write_tensor(FILE *plan, TF_Tensor *tensor) {
  FILE *file = open_file(plan, "wb");
  int64_t dtype = TF_TensorType(tensor), rank = TF_NumDims(tensor);
  fwrite(&dtype, 8, 1, file);
  fwrite(&rank, 8, 1, file);
  for (int i = 0; i < rank; i++) {
    int64_t dim = TF_Dim(tensor, i);
    fwrite(&dim, 8, 1, file);
  }
  if (dtype == TF_STRING) {
    TF_TString *strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
      uint64_t length = TF_StringGetSize(&strings[i]);
      fwrite(&length, 8, 1, file);
      fwrite(TF_StringGetDataPointer(&strings[i]), 1, length, file);
    }
  } else {
    fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file);
  }
  check(fclose(file) == 0, "a file could not be written");
}

int main(int argc, char **argv) {
  check(argc == 2, "run_signatures PLAN");
  FILE *plan = fopen(argv[1], "r");
  check(plan != NULL, argv[1]);
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = NULL;
  TF_Session *session = NULL;
  char word[LONGEST];
  while (fscanf(plan, "%4095s", word) == 1) {
    if (strcmp(word, "load") == 0) {
      check(fscanf(plan, "%4095s", word) == 1, "the plan ends early");
      const char *tags[] = {"serve"};
      TF_SessionOptions *options = TF_NewSessionOptions();
      TF_SetConfig(options, NOT_OPTIMIZED, sizeof(NOT_OPTIMIZED), status);
      check_status(status);
      graph = TF_NewGraph();
      session = TF_LoadSessionFromSavedModel(options, NULL, word, tags, 1, graph, NULL, status);
      check_status(status);
      TF_DeleteSessionOptions(options);
      continue;
    }
    int num_inputs, num_outputs;
    TF_Output inputs[MOST], outputs[MOST];
    TF_Tensor *given[MOST], *found[MOST];
    check(fscanf(plan, "%d %d", &num_inputs, &num_outputs) == 2, "the plan ends early");
    check(num_inputs <= MOST && num_outputs <= MOST, "too many tensors");
    for (int i = 0; i < num_inputs; i++) {
      inputs[i] = read_output(plan, graph);
      given[i] = read_tensor(plan);
    }
    long lines = ftell(plan);
    for (int i = 0; i < num_outputs; i++) {
      outputs[i] = read_output(plan, graph);
      check(fscanf(plan, "%4095s", word) == 1, "the plan ends early");
    }
    TF_SessionRun(session, NULL, inputs, given, num_inputs, outputs, found, num_outputs, NULL, 0,
                  NULL, status);
    check_status(status);
    fseek(plan, lines, SEEK_SET);
    for (int i = 0; i < num_outputs; i++) {
      read_output(plan, graph);
      write_tensor(plan, found[i]);
    }
  }
  return 0;
}
